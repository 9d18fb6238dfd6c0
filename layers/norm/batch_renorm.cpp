#include "layers/norm/batch_renorm.h"

#include <algorithm>
#include <cmath>

namespace evenkeel {

BatchRenorm::BatchRenorm(int64_t channels, const BatchRenormOptions& o)
    : RunningNorm(channels), options(o), running_sigma(Tensor::full({channels}, 1)) {
  check_options("renorm", options);
  gamma.track();
  beta.track();
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
  if (watch) watch(x);
  check_norm("batch_renorm", x, gamma, beta, options.eps, then);
  if (mode == Mode::eval) return batch_norm_inference(x, running_mean, square(running_sigma), gamma, beta, 0, then);
  const Moments batch = over_shards(moments(x, 0, x.rows()));
  const int64_t channels = x.channels();
  Tensor sigma = Tensor::empty({channels}), r = Tensor::full({channels}, 1), d = Tensor::zeros({channels});
  const double r_max = r_limit(), d_max = d_limit();
  for (int64_t c = 0; c < channels; ++c) {
    const size_t at = static_cast<size_t>(c);
    const double batch_sigma = std::sqrt(batch.squares[at] / batch.count + options.eps),
                 running = running_sigma.data()[c];
    sigma.mutable_data()[c] = static_cast<real>(batch_sigma);
    if (running_weight.item() == 0) continue;
    r.mutable_data()[c] = static_cast<real>(std::clamp(batch_sigma / running, 1 / r_max, r_max));
    d.mutable_data()[c] =
        static_cast<real>(std::clamp((batch.mean[at] - running_mean.data()[c]) / running, -d_max, d_max));
  }
  // gamma (r xhat + d) + beta is a batch norm with other gamma and beta.
  const Tensor y = batch_norm(x, gamma * r, beta + gamma * d, options.eps, then).y;
  if (mode == Mode::train) move_averages(options.new_weight, rounded_mean(batch), running_sigma, sigma);
  return y;
}

void BatchRenorm::set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) {
  RunningNorm::set_statistics(mean, biased_var, rows);
  running_sigma.copy_from(sqrt(biased_var + options.eps));
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
