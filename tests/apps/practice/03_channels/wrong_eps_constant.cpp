// caught by: values
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double) {
  const Tensor centred = x - spread_rows(mean_rows(x), x.shape());
  const Tensor variance = mean_rows(square(centred));
  return centred * spread_rows(rsqrt(variance + 1e-3), x.shape());
}
