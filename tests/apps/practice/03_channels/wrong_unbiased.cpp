// caught by: values
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const Tensor centred = x - spread_rows(mean_rows(x), x.shape());
  const Tensor variance = mean_rows(square(centred)) * (double(x.rows()) / (x.rows() - 1));
  return centred * spread_rows(rsqrt(variance + eps), x.shape());
}
