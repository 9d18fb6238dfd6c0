// caught by: after
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise(const Tensor& x, double eps) {
  const Tensor c = x.detach();
  const Tensor centred = add_per_channel(c, -mean_rows(c));
  const Tensor value = scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps));
  return record(value, {x}, [x, eps](const Tensor& y, const Tensor& cotangent) -> Grads {
    const Tensor g = cotangent.detach();
    const Tensor from_mean = add_per_channel(x, -mean_rows(x));
    const Tensor one_over_s = rsqrt(mean_rows(square(from_mean)) + eps);
    const Tensor along_y = scale_per_channel(y, mean_rows(g * y));
    return {scale_per_channel(add_per_channel(g - along_y, -mean_rows(g)), one_over_s)};
  });
}
