// The order of axes: images are kept channels last; other programs, and the features of a dense layer behind them, count channels first.
#pragma once
#include "core/engine/autograd.h"

namespace evenkeel {

// Each is the other's inverse and adjoint.
Tensor to_channels_first(const Tensor& x);  // (N, H, W, C) -> (N, C, H, W)
Tensor to_channels_last(const Tensor& x);   // (N, C, H, W) -> (N, H, W, C)

}  // namespace evenkeel
