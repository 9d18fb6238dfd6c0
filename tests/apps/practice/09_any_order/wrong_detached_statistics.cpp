// caught by: first
#include <evenkeel/practice.h>

using namespace evenkeel;

// In ops, but the statistics are taken of a constant: the gradient takes them for numbers.
Tensor normalise(const Tensor& x, double eps) {
  const Tensor c = x.detach(), mean = mean_rows(c);
  const Tensor one_over_s = rsqrt(mean_rows(square(add_per_channel(c, -mean))) + eps);
  return scale_per_channel(add_per_channel(x, -mean), one_over_s);
}
