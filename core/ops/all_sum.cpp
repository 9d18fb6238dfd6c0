#include "core/ops/all_sum.h"

#include "core/base/shards.h"

namespace evenkeel {

Tensor all_sum(const Tensor& x) {
  Shard* const shard = this_shard();
  if (!shard) return x;
  Tensor y = x.clone();
  shard->sum(y.mutable_data(), y.size());
  return record(y, {x.without_values()}, [](const Tensor& g) { return Grads{all_sum(g)}; });
}

}  // namespace evenkeel
