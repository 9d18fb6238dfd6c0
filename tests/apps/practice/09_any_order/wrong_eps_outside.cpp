// caught by: value
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise(const Tensor& x, double eps) {
  const Tensor centred = add_per_channel(x, -mean_rows(x));
  return scale_per_channel(centred, reciprocal(sqrt(mean_rows(square(centred))) + eps));
}
