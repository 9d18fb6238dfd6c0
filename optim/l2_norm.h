// The norm of a tensor in double, for what decides: clipping, convergence, smoothness.
#pragma once
#include "../core/engine/tensor.h"

namespace evenkeel {

// sqrt(sum of x_i^2). Squares of finite floats may be beyond every float; those of doubles are scaled where they leave
// their range. The same bits for any number of threads.
double l2_norm(const Tensor& x);

}  // namespace evenkeel
