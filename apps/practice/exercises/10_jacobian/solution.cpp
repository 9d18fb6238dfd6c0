#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  const double n = static_cast<double>(m);
  double mean = 0, var = 0;
  for (double v : x) mean += v / n;
  for (double v : x) var += (v - mean) * (v - mean) / n;
  const double s = std::sqrt(var + eps);
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) {
      const double xhat_i = (x[i] - mean) / s, xhat_j = (x[j] - mean) / s;
      J.mutable_data()[i * m + j] = gamma / s * ((i == j ? 1 : 0) - 1 / n - xhat_i * xhat_j / n);
    }
  return J;
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i) J.mutable_data()[i * m + i] = gamma / std::sqrt(running_var + eps);
  return J;
}
