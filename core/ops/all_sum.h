// The sum over all shards of a batch.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

// y = the sum of the x of all shards, equal on all shards; outside of Shards::run(), x itself. all_sum is its own
// adjoint if the loss is the sum of the shards' losses. Every shard must call it, and differentiate y in the same way.
Tensor all_sum(const Tensor& x);

}  // namespace evenkeel
