// caught by: large mean
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const Tensor mean = mean_rows(x), variance = mean_rows(square(x)) - square(mean);
  return (x - spread_rows(mean, x.shape())) * spread_rows(rsqrt(variance + eps), x.shape());
}
