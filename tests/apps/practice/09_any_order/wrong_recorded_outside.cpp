// caught by: second
#include <evenkeel/practice.h>

using namespace evenkeel;

// 1 / s is recorded, but not where the derivative is: what is captured is no input of the op's gradient.
Tensor normalise(const Tensor& x, double eps) {
  const Tensor centred = add_per_channel(x.detach(), -mean_rows(x.detach()));
  const double m = static_cast<double>(x.rows());
  const Tensor one_over_s = rsqrt(sum_rows(square(centred)) / m + eps);
  return record(scale_per_channel(centred, one_over_s), {x}, [one_over_s](const Tensor& y, const Tensor& g) -> Grads {
    const Tensor s = reciprocal(one_over_s);
    const Tensor dx = add_per_channel(g - scale_per_channel(y, mean_rows(g * y)), -mean_rows(g));
    return {scale_per_channel(dx, reciprocal(s))};
  });
}
