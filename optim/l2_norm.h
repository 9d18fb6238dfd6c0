// The L2 norm of a tensor, in double.
#pragma once
#include "../core/engine/tensor.h"

namespace evenkeel {

// sqrt(sum of x_i^2). Does not overflow or underflow in between: squares of floats are summed in double, doubles are
// scaled if their squares leave the range. The same bits for any number of threads.
double l2_norm(const Tensor& x);

}  // namespace evenkeel
