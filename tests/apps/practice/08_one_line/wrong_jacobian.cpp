// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

// s xhat has the same outputs as x, if eps is what s^2 has beyond its variance.
std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g) {
  const int64_t m = static_cast<int64_t>(xhat.size());
  const Tensor x = Tensor::of({m, 1}, xhat) * s;
  const double eps = s * s - mean(square(x)).item();
  const Tensor J = jacobian(
      [&](const Tensor& t) {
        const Tensor centred = add_per_channel(t, -mean_rows(t));
        return scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps)) * gamma;
      },
      x);
  return matmul(Tensor::of({1, m}, g), reshape(J, {m, m})).values();
}
