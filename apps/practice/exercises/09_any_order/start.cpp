#include <evenkeel/practice.h>

using namespace evenkeel;

// Batch normalisation without gamma and beta, as one op with a derivative written by hand:
//   y = (x - mu) / s,   s = sqrt(var + eps),   x (m, C), mu and var of each column.
Tensor normalise(const Tensor& x, double eps) {
  // The value. Here x is a constant: nothing is recorded.
  const Tensor c = x.detach();
  const Tensor centred = add_per_channel(c, -mean_rows(c));
  const Tensor one_over_s = rsqrt(mean_rows(square(centred)) + eps);
  const Tensor value = scale_per_channel(centred, one_over_s);

  // The derivative: from y and the cotangent g = dL/dy comes dL/dx = (g - mean(g) - y mean(g y)) / s.
  return record(value, {x}, [one_over_s](const Tensor& y, const Tensor& g) -> Grads {
    const Tensor along_y = scale_per_channel(y, mean_rows(g * y));
    const Tensor dx = add_per_channel(g - along_y, -mean_rows(g));
    return {scale_per_channel(dx, one_over_s)};
  });
}
