#include <evenkeel/practice.h>

using namespace evenkeel;

// One feature has the values x_0 ... x_(m-1) in a batch. Batch normalisation makes y_i = gamma xhat_i + beta of them.
// Each function returns all derivatives J_ij = dy_i / dx_j, as a tensor of the shape (m, m).

// In training: mean and variance are those of x.
Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  // J.mutable_data()[i * m + j] is J_ij.
  return J;
}

// In inference: xhat_i = (x_i - running mean) / sqrt(running_var + eps), and the running averages are constants.
Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  return J;
}
