#include "layers/norm/running_norm.h"

#include <algorithm>
#include <cmath>

namespace evenkeel {
namespace {

template <class Condition>
bool all(const Tensor& t, Condition condition) {
  return std::all_of(t.data(), t.data() + t.size(), condition);
}

// A convex sum rather than average + step (value - average): with step 1 it is the batch's value to the bit.
void move(Tensor& average, double keep, double weight, const Tensor& value) {
  real* a = average.mutable_data();
  const real* v = value.data();
  for (int64_t c = 0; c < average.size(); ++c) a[c] = static_cast<real>(keep * a[c] + weight * v[c]);
}

}  // namespace

RunningNorm::RunningNorm(int64_t channels)
    : gamma(Tensor::full({channels}, 1)),
      beta(Tensor::zeros({channels})),
      running_mean(Tensor::zeros({channels})),
      running_weight(Tensor::scalar(0)),
      batches(Tensor::scalar(0)) {}

Shape RunningNorm::output_shape(const Shape& input) {
  check(input.channels() == gamma.size() && input.size() > 0, "{}: x must have values in {} channels, got {}",
        describe(), gamma.size(), batch_of_one(input));
  return input;
}

void RunningNorm::set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) {
  check(rows >= 2 && std::isfinite(rows), "{}: set_statistics() needs a finite population of at least two rows, got {}",
        describe(), rows);
  const Shape& channels = running_mean.shape();
  check(mean.shape() == channels && biased_var.shape() == channels,
        "{}: set_statistics() needs a mean and a variance of shape {}, got {} and {}", describe(), channels,
        mean.shape(), biased_var.shape());
  const real *m = mean.data(), *v = biased_var.data();
  for (int64_t c = 0; c < mean.size(); ++c)
    check(std::isfinite(m[c]) && v[c] >= 0 && std::isfinite(2 * v[c]),
          "{}: set_statistics() needs finite means, and finite variances of 0 or more, got {} and {} in channel {}",
          describe(), m[c], v[c], c);
  running_mean.copy_from(mean);
  *running_weight.mutable_data() = 1;
}

bool RunningNorm::move_averages(double a, const Tensor& mean, Tensor& spread, const Tensor& batch_spread,
                                double factor) {
  const auto finite = [](real v) { return std::isfinite(v); };
  if (!all(mean, finite) || !all(batch_spread, finite)) {
    ++skipped;
    return false;
  }
  const double before = running_weight.item();
  check(before != 0 || (all(running_mean, [](real v) { return v == 0; }) && all(spread, [](real v) { return v == 1; })),
        "{}: running averages were written without their weight, and the first batch would replace them; write them by "
        "set_statistics(mean, var, rows)",
        describe());
  const double w = (1 - a) * before + a, step = a / w;
  move(running_mean, 1 - step, step, mean);
  move(spread, 1 - step, step * factor, batch_spread);
  *running_weight.mutable_data() = static_cast<real>(w);
  *batches.mutable_data() += 1;
  return true;
}

}  // namespace evenkeel
