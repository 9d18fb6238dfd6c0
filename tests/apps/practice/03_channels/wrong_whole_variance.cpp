// caught by: channels
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const Tensor centred = x - spread_rows(mean_rows(x), x.shape());
  const Tensor variance = mean_rows(square(centred)) * 0.0 + mean(square(centred)).item();
  return centred * spread_rows(rsqrt(variance + eps), x.shape());
}
