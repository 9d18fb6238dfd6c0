// r and d from a constant x, on the fused op.
#include <evenkeel/practice.h>

using namespace evenkeel;

// x (m, C). mean and sigma (C) are the running averages; sigma is a standard deviation, eps is in it already.
// gamma, beta (C). The batch's own sigma_B is sqrt(var_B + eps).
Tensor batch_renorm(const Tensor& x, const Tensor& mean, const Tensor& sigma, const Tensor& gamma, const Tensor& beta,
                    double eps, double r_max, double d_max) {
  const Normalized n = batch_norm(x.detach(), Tensor::full({x.channels()}, 1), Tensor::zeros({x.channels()}), eps);
  const Tensor r = clamp(sqrt(n.var + eps) / sigma, 1 / r_max, r_max);
  const Tensor d = clamp((n.mean - mean) / sigma, -d_max, d_max);
  return batch_norm(x, gamma * r, gamma * d + beta, eps).y;
}
