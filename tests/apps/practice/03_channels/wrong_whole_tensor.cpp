// caught by: mean
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const Tensor centred = x - spread(mean(x), x.shape());
  const Tensor variance = mean_rows(square(centred));
  return centred * spread_rows(rsqrt(variance + eps), x.shape());
}
