// r and d are computed while nothing is recorded, in loops.
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
  Tensor r = Tensor::empty({x.channels()}), d = Tensor::empty({x.channels()});
  for (int64_t c = 0; c < x.channels(); ++c) {
    const double ratio = sigma_B.data()[c] / sigma.data()[c];
    const double shift = (mean_B.data()[c] - mean.data()[c]) / sigma.data()[c];
    r.mutable_data()[c] = std::min(std::max(ratio, 1 / r_max), r_max);
    d.mutable_data()[c] = std::min(std::max(shift, -d_max), d_max);
  }
  const Tensor corrected = add_per_channel(scale_per_channel(xhat, r), d);
  return add_per_channel(scale_per_channel(corrected, gamma), beta);
}
