// caught by: images
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const Tensor centred = x - spread_channels(mean_channels(x), x.shape());
  return centred * spread_channels(rsqrt(mean_channels(square(centred)) + eps), x.shape());
}
