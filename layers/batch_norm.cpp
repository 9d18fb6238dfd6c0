#include "layers/batch_norm.h"

#include <algorithm>
#include <cmath>

namespace evenkeel {

BatchNorm::BatchNorm(int64_t channels, const BatchNormOptions& o)
    : options(o),
      gamma(Tensor::full({channels}, 1)),
      beta(Tensor::zeros({channels})),
      running_mean(Tensor::zeros({channels})),
      running_var(Tensor::full({channels}, 1)),
      running_weight(Tensor::scalar(0)),
      batches(Tensor::scalar(0)) {
  check(options.eps > 0, "batch_norm: eps must be positive, got {}", options.eps);
  check(options.new_weight > 0 && options.new_weight <= 1,
        "batch_norm: the weight of the new value must be in (0, 1], got {}; PyTorch's momentum is this number, Keras' is 1 minus it",
        options.new_weight);
  if (options.affine) gamma.track(), beta.track();
}

Tensor BatchNorm::forward_then(const Tensor& x, Mode mode, const Epilogue& then) {
  const NormOptions norm{.eps = options.eps, .add = then.add, .relu = then.relu};
  if (mode == Mode::eval) return batch_norm_inference(x, running_mean, running_var, gamma, beta, norm);
  Normalized result = batch_norm(x, gamma, beta, norm);
  if (mode == Mode::train) average(result.mean, result.var, x.rows());
  return result.y;
}

void BatchNorm::average(const Tensor& mean, const Tensor& var, int64_t rows) {
  auto finite = [](const Tensor& t) { return std::all_of(t.data(), t.data() + t.size(), [](real v) { return std::isfinite(v); }); };
  if (!finite(mean) || !finite(var)) {
    ++skipped;
    return;
  }
  const double t = static_cast<double>(batches.item()) + 1;
  const double a = options.cumulative ? 1 / t : options.new_weight;
  const double w = (1 - a) * static_cast<double>(running_weight.item()) + a;
  const double step = a / w, m = static_cast<double>(rows), bessel = options.unbiased ? m / (m - 1) : 1;
  for (int64_t c = 0; c < mean.size(); ++c) {
    real &r = running_mean.data()[c], &v = running_var.data()[c];
    // A convex sum rather than old + step (new - old): with step 1 it is the batch's value to the bit.
    r = static_cast<real>((1 - step) * r + step * mean.data()[c]);
    v = static_cast<real>((1 - step) * v + step * bessel * var.data()[c]);
  }
  *running_weight.data() = static_cast<real>(w);
  *batches.data() = static_cast<real>(t);
}

void BatchNorm::visit(Visitor& v) {
  if (options.affine) {
    v.parameter("weight", gamma, false);
    v.parameter("bias", beta, false);
  }
  v.buffer("running_mean", running_mean);
  v.buffer("running_var", running_var);
  v.buffer("running_weight", running_weight);
  v.buffer("num_batches_tracked", batches);
}

std::string BatchNorm::describe() const {
  const BatchNormOptions standard;
  std::string s = "batch";
  if (options.eps != standard.eps) s += fmt::format(":eps={}", options.eps);
  if (options.cumulative) s += ":average=cumulative";
  if (options.new_weight != standard.new_weight) s += fmt::format(":new={}", options.new_weight);
  if (!options.unbiased) s += ":variance=biased";
  if (!options.affine) s += ":affine=off";
  return s;
}

}  // namespace evenkeel
