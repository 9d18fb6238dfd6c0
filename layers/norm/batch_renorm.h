// Batch renormalisation (Ioffe 2017): batch normalisation corrected towards what inference will do.
#pragma once
#include "running_norm.h"

namespace evenkeel {

struct BatchRenormOptions {
  real eps = default_eps;
  double new_weight = 0.01;
  double r_max = 3, d_max = 5;
  int64_t start = 5000, r_end = 40000, d_end = 25000;  // the paper's numbers

  static void each(auto& o, auto&& option) {
    constexpr Range batches{0, int64_t{1} << 40};
    option("eps", o.eps, norm_eps, "inside the root: sigma_B = sqrt(var_B + eps)");
    option("new", o.new_weight, Range{1e-9, 1}, "weight of the new value in the running averages");
    option("rmax", o.r_max, Range{1, 1e30}, "the largest r");
    option("dmax", o.d_max, Range{0, 1e30}, "the largest d");
    option("start", o.start, batches, "batches averaged before r_max grows from 1 and d_max from 0, linearly");
    option("rend", o.r_end, batches, "batches averaged when r_max reaches rmax");
    option("dend", o.d_end, batches, "batches averaged when d_max reaches dmax");
  }
};

// x (rows, C). Training: y = gamma (r (x - mu_B) / sigma_B + d) + beta with r = sigma_B / sigma in [1 / r_max, r_max]
// and d = (mu_B - mu) / sigma in [-d_max, d_max]; no gradient flows through r and d. Without clipping that is what
// inference computes; with r = 1, d = 0 it is batch normalisation, to the bit. Inference: y = gamma (x - mu) / sigma +
// beta.
//
// The running sigma is, as in the paper, the average of sqrt(var_B + eps): a little less than the root of the average
// variance. Both averages are bias-corrected as BatchNorm's, and are used as they were before the batch; before the
// first batch r = 1, d = 0.
struct BatchRenorm : RunningNorm {
  explicit BatchRenorm(int64_t channels, const BatchRenormOptions& options = {});
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  bool reads_moments(Mode mode) const override { return mode != Mode::eval; }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  Statistics statistics() const override { return {running_mean, square(running_sigma)}; }
  // The number of batches stays, because the limits of r and d depend on it.
  void set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) override;
  real epsilon() const override { return options.eps; }
  double r_limit() const;  // r_max of the next batch
  double d_limit() const;  // its d_max

  BatchRenormOptions options;
  Owned running_sigma;  // (C): 1 before the first batch
};

}  // namespace evenkeel
