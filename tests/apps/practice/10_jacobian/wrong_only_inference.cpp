// caught by: not zero
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor jacobian_train(const std::vector<double>& x, double, double) {
  const int64_t m = static_cast<int64_t>(x.size());
  return Tensor::zeros({m, m});
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i) J.mutable_data()[i * m + i] = gamma / std::sqrt(running_var + eps);
  return J;
}
