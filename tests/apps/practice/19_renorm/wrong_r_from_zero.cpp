// caught by: plain
#include <evenkeel/practice.h>

using namespace evenkeel;

// x (m, C). mean and sigma (C) are the running averages; sigma is a standard deviation, eps is in it already.
// gamma, beta (C). The batch's own sigma_B is sqrt(var_B + eps).
Tensor batch_renorm(const Tensor& x, const Tensor& mean, const Tensor& sigma, const Tensor& gamma, const Tensor& beta,
                    double eps, double r_max, double d_max) {
  const Tensor mean_B = mean_rows(x);
  const Tensor centred = add_per_channel(x, -mean_B);
  const Tensor sigma_B = sqrt(mean_rows(square(centred)) + eps);
  const Tensor xhat = scale_per_channel(centred, reciprocal(sigma_B));
  const Tensor r = clamp(sigma_B / sigma, 0, r_max).detach();
  const Tensor d = clamp((mean_B - mean) / sigma, -d_max, d_max).detach();
  const Tensor corrected = add_per_channel(scale_per_channel(xhat, r), d);
  return add_per_channel(scale_per_channel(corrected, gamma), beta);
}
