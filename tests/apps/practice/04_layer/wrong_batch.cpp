// caught by: mean
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const Tensor centred = x - spread_rows(mean_rows(x), x.shape());
  return centred * spread_rows(rsqrt(mean_rows(square(centred)) + eps), x.shape());
}
