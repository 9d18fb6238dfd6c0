// caught by: large mean
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const Shape table{x.dim(0), x.size() / x.dim(0)};
  const Tensor t = reshape(x, table), mean = mean_channels(t);
  const Tensor variance = mean_channels(square(t)) - square(mean);
  return reshape((t - spread_channels(mean, table)) * spread_channels(rsqrt(variance + eps), table), x.shape());
}
