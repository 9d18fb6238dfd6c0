// caught by: pixels
#include <evenkeel/practice.h>

using namespace evenkeel;

// Each pixel has a mean of its own, over the images.
Tensor normalise_channels(const Tensor& x, double eps) {
  const int64_t n = x.dim(0);
  const Tensor table = reshape(x, {n, x.size() / n});
  const Tensor centred = table - spread_rows(mean_rows(table), table.shape());
  return reshape(centred * spread_rows(rsqrt(mean_rows(square(centred)) + eps), table.shape()), x.shape());
}
