// Dropout.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

// x * mask / (1 - p), each mask element 0 with probability p (Srivastava et al. 2014, inverted). 0 <= p < 1.
// Draws one number of the stream for every two elements, none if p = 0. The shards of a batch draw what the whole batch
// would.
Tensor dropout(const Tensor& x, real p, Random& random);

}  // namespace evenkeel
