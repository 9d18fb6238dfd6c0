// The table of experiments, in the order of the reference text's chapters.
#pragma once
#include "apps/lab/lab.h"

namespace evenkeel::lab {

extern const Experiment transform, dilution, drift, saturation, relu_activity, paper, jacobian_experiment, noise, landscape, averages, shift, scale, renorm,
    sequences, two_labs, privacy;

inline const Experiment* const experiments[] = {
    &transform, &dilution, &drift, &saturation, &relu_activity, &paper, &jacobian_experiment, &noise, &landscape,
    &averages, &shift, &scale, &renorm, &sequences, &two_labs, &privacy};

}  // namespace evenkeel::lab
