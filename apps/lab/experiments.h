// The table of experiments, in the order of the reference text's chapters.
#pragma once
#include "apps/lab/lab.h"

namespace evenkeel::lab {

extern const Experiment transform, dilution, saturation, relu_activity, jacobian_experiment, noise, averages, scale;

inline const Experiment* const experiments[] = {&transform, &dilution, &saturation, &relu_activity, &jacobian_experiment, &noise, &averages, &scale};

}  // namespace evenkeel::lab
