// As matrices, P - xhat xhat^T / m.
#include <evenkeel/practice.h>

using namespace evenkeel;

static Tensor identity(int64_t m) {
  Tensor I = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i) I.mutable_data()[i * m + i] = 1;
  return I;
}

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  const double n = static_cast<double>(m);
  const Tensor column = Tensor::of({m, 1}, x), centred = add_per_channel(column, -mean_rows(column));
  const double s = std::sqrt(mean(square(centred)).item() + eps);
  const Tensor xhat = centred / s;
  return (identity(m) - 1 / n - matmul(xhat, xhat, false, true) / n) * (gamma / s);
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  return identity(static_cast<int64_t>(x.size())) * (gamma / std::sqrt(running_var + eps));
}
