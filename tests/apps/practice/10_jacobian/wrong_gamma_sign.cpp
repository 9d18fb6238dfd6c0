// caught by: training
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
      [[maybe_unused]] const double xi = (x[i] - mean) / s, xj = (x[j] - mean) / s, same = i == j;
      J.mutable_data()[i * m + j] = std::abs(gamma) / s * (same - 1 / n - xi * xj / n);
    }
  return J;
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) J.mutable_data()[i * m + j] = i == j ? gamma / std::sqrt(running_var + eps) : 0;
  return J;
}
