#include "layers/norm/batch_renorm.h"

#include <algorithm>
#include <cmath>

namespace evenkeel {

BatchRenorm::BatchRenorm(int64_t channels, const BatchRenormOptions& o)
    : options(o),
      running_mean(Tensor::zeros({channels})),
      running_sigma(Tensor::full({channels}, 1)),
      running_weight(Tensor::scalar(0)),
      batches(Tensor::scalar(0)) {
  check_options("renorm", options);
  gamma = Tensor::full({channels}, 1).track();
  beta = Tensor::zeros({channels}).track();
}

namespace {

// 0 until `start`, 1 from `end` on, a line between them.
double ramp(double t, int64_t start, int64_t end) {
  if (t < static_cast<double>(start)) return 0;
  return end <= start ? 1 : std::min(1.0, (t - static_cast<double>(start)) / static_cast<double>(end - start));
}

}  // namespace

double BatchRenorm::r_limit() const {
  return 1 + (options.r_max - 1) * ramp(static_cast<double>(batches.item()), options.start, options.r_end);
}
double BatchRenorm::d_limit() const {
  return options.d_max * ramp(static_cast<double>(batches.item()), options.start, options.d_end);
}

Tensor BatchRenorm::forward_then(const Tensor& x, Mode mode, const Epilogue& then) {
  if (then.per_channel()) return then(forward(x, mode));
  if (watch) watch(x);
  if (mode == Mode::eval)
    return batch_norm_inference(x, running_mean, square(running_sigma), gamma, beta,
                                {.eps = 0, .add = then.add, .relu = then.relu});
  const Moments batch = moments(x, 0, x.rows());
  const int64_t channels = x.channels();
  Tensor r = Tensor::full({channels}, 1), d = Tensor::zeros({channels});
  const double r_max = r_limit(), d_max = d_limit(), w = static_cast<double>(running_weight.item());
  bool finite = true;
  const auto sigma_of = [&](size_t c) { return std::sqrt(batch.squares[c] / batch.count + options.eps); };
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = batch.mean[c], sigma = sigma_of(c);
    finite = finite && std::isfinite(mean) && std::isfinite(sigma);
    if (w == 0) continue;
    r.mutable_data()[c] = static_cast<real>(std::clamp(sigma / running_sigma.data()[c], 1 / r_max, r_max));
    d.mutable_data()[c] =
        static_cast<real>(std::clamp((mean - running_mean.data()[c]) / running_sigma.data()[c], -d_max, d_max));
  }
  // gamma (r xhat + d) + beta is a batch norm with other gamma and beta.
  const Tensor y =
      batch_norm(x, gamma * r, beta + gamma * d, {.eps = options.eps, .add = then.add, .relu = then.relu}).y;
  if (mode != Mode::train) return y;
  if (!finite) {
    ++skipped;
    return y;
  }
  if (w == 0) check_unset(running_mean, running_sigma);
  const double next = (1 - options.new_weight) * w + options.new_weight, step = options.new_weight / next;
  Tensor sigma = Tensor::empty({channels});
  for (int64_t c = 0; c < channels; ++c) sigma.mutable_data()[c] = static_cast<real>(sigma_of(c));
  move_average(running_mean, 1 - step, step, rounded_mean(batch));
  move_average(running_sigma, 1 - step, step, sigma);
  *running_weight.mutable_data() = static_cast<real>(next);
  *batches.mutable_data() += 1;
  return y;
}

void BatchRenorm::set_statistics(const Tensor& mean, const Tensor& biased_var, double) {
  running_mean.copy_from(mean);
  running_sigma.copy_from(sqrt(biased_var + options.eps));
  *running_weight.mutable_data() = 1;
}

void BatchRenorm::visit(Visitor& v) {
  v.parameter("weight", gamma, false);
  v.parameter("bias", beta, false);
  v.buffer("running_mean", running_mean);
  v.buffer("running_sigma", running_sigma);
  v.state("running_weight", running_weight);
  v.count("num_batches_tracked", batches);
}

std::string BatchRenorm::describe() const { return "renorm" + describe_options(options); }

}  // namespace evenkeel
