// The table of experiments, in the order of the reference text's chapters.
#pragma once
#include "apps/lab/lab.h"

namespace evenkeel::lab {

extern const Experiment transform, saturation, relu_activity, jacobian_experiment, noise;

inline const Experiment* const experiments[] = {&transform, &saturation, &relu_activity, &jacobian_experiment, &noise};

}  // namespace evenkeel::lab
