// One value for each channel, applied to all rows: biases, scales.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

// x (rows, C), b and s (C) -> (rows, C).
Tensor add_per_channel(const Tensor& x, const Tensor& b);    // x + b
Tensor scale_per_channel(const Tensor& x, const Tensor& s);  // x * s

}  // namespace evenkeel
