// caught by: second
#include <evenkeel/practice.h>

using namespace evenkeel;

// 1 / s is computed anew, but y is the value from outside, a constant.
Tensor normalise(const Tensor& x, double eps) {
  const Tensor c = x.detach();
  const Tensor centred = add_per_channel(c, -mean_rows(c));
  const Tensor value = scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps)), copy = value.detach();
  return record(value, {x}, [x, copy, eps](const Tensor&, const Tensor& g) -> Grads {
    const Tensor from_mean = add_per_channel(x, -mean_rows(x));
    const Tensor one_over_s = rsqrt(mean_rows(square(from_mean)) + eps);
    const Tensor along_y = scale_per_channel(copy, mean_rows(g * copy));
    return {scale_per_channel(add_per_channel(g - along_y, -mean_rows(g)), one_over_s)};
  });
}
