// Dual numbers: the derivative along each x_j is carried beside every value.
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  const size_t m = x.size();
  const double n = static_cast<double>(m);
  Tensor J = Tensor::zeros({static_cast<int64_t>(m), static_cast<int64_t>(m)});
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double var = 0;
  for (double v : x) var += (v - mean) * (v - mean) / n;
  const double s = std::sqrt(var + eps);
  for (size_t j = 0; j < m; ++j) {
    const double dmean = 1 / n, dvar = 2 * (x[j] - mean) / n, ds = dvar / (2 * s);
    for (size_t i = 0; i < m; ++i) {
      const double dcentred = (i == j) - dmean;
      J.mutable_data()[i * m + j] = gamma * (dcentred * s - (x[i] - mean) * ds) / (s * s);
    }
  }
  return J;
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const size_t m = x.size();
  Tensor J = Tensor::zeros({static_cast<int64_t>(m), static_cast<int64_t>(m)});
  for (size_t i = 0; i < m; ++i) J.mutable_data()[i * (m + 1)] = gamma / std::sqrt(running_var + eps);
  return J;
}
