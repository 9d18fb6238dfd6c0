// By operations, on a table.
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const Shape table{x.dim(0), x.size() / x.dim(0)};
  const Tensor t = reshape(x, table), centred = t - spread_channels(mean_channels(t), table);
  return reshape(centred * spread_channels(rsqrt(mean_channels(square(centred)) + eps), table), x.shape());
}
