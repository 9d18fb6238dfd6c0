// caught by: higher
#include <evenkeel/practice.h>

using namespace evenkeel;

// The mean inside the variance is a number.
Tensor normalise(const Tensor& x, double eps) {
  const Tensor c = x.detach();
  const Tensor mean = mean_rows(c), centred = add_per_channel(c, -mean);
  return record(scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps)), {x},
                [x, mean, eps](const Tensor& y, const Tensor& g) -> Grads {
                  const Tensor one_over_s = rsqrt(mean_rows(square(add_per_channel(x, -mean))) + eps);
                  const Tensor along_y = scale_per_channel(y, mean_rows(g * y));
                  return {scale_per_channel(add_per_channel(g - along_y, -mean_rows(g)), one_over_s)};
                });
}
