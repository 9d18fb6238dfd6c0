// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

struct Backward {
  double dbeta = 0, dgamma = 0;
  std::vector<double> dxhat;
  double dvar = 0, dmu = 0;
  std::vector<double> dx;
};

Backward backward(const std::vector<double>& x, double gamma, double eps, const std::vector<double>& g) {
  const int64_t m = static_cast<int64_t>(x.size());
  const Tensor J = jacobian(
      [&](const Tensor& t) {
        const Tensor centred = add_per_channel(t, -mean_rows(t));
        return scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps)) * gamma;
      },
      Tensor::of({m, 1}, x));
  Backward b;
  b.dx = matmul(Tensor::of({1, m}, g), reshape(J, {m, m})).values();
  return b;
}
