// caught by: mean
#include <evenkeel/practice.h>

using namespace evenkeel;

// Each pixel is normalised over its channels.
Tensor normalise_channels(const Tensor& x, double eps) {
  const Tensor centred = x - spread_channels(mean_channels(x), x.shape());
  return centred * spread_channels(rsqrt(mean_channels(square(centred)) + eps), x.shape());
}
