// The sum over all shards of a batch.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

// y = the sum of every shard's x, the same on all of them; outside of Shards::run(), x itself. If the loss is the sum
// of the shards' losses, it is its own adjoint. Every shard must call it, and differentiate the result in the same way.
Tensor all_sum(const Tensor& x);

}  // namespace evenkeel
