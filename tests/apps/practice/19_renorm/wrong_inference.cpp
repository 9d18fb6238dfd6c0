// caught by: gradient
#include <evenkeel/practice.h>

using namespace evenkeel;

// x (m, C). mean and sigma (C) are the running averages; sigma is a standard deviation, eps is in it already.
// gamma, beta (C). The batch's own sigma_B is sqrt(var_B + eps).
Tensor batch_renorm(const Tensor& x, const Tensor& mean, const Tensor& sigma, const Tensor& gamma, const Tensor& beta,
                    double eps, double r_max, double d_max) {
  (void)r_max, (void)d_max, (void)eps;
  const Tensor xhat = scale_per_channel(add_per_channel(x, -mean), reciprocal(sigma));
  return add_per_channel(scale_per_channel(xhat, gamma), beta);
}
