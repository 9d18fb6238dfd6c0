#include "layers/norm/batch_norm.h"

#include <algorithm>

#include "core/base/shards.h"

namespace evenkeel {
namespace {

// Like batch_norm_definition, over the rows with mask 1, `count` of this shard's.
Normalized masked_batch_norm(const Tensor& x, const Tensor& mask, const Tensor& gamma, const Tensor& beta,
                             int64_t count, real eps) {
  const int64_t channels = x.channels();
  Tensor counted = Tensor::empty({count, channels});
  real* next = counted.mutable_data();
  for (int64_t i = 0; i < mask.size(); ++i)
    if (mask.data()[i] != 0) next = std::copy_n(x.data() + i * channels, channels, next);
  const Moments m = over_shards(count > 0 ? moments(counted, 0, count) : Moments(channels));
  check(m.count >= 2, "batch_norm: the mask must leave at least two rows of the batch, got {}", m.count);
  const Tensor weights = spread_channels(reshape(mask, x.shape().without_last()), x.shape());
  const auto mean = [&](const Tensor& v) { return all_sum(sum_rows(v)) / static_cast<real>(m.count); };
  const Tensor near = add_per_channel(x, -rounded_mean(m)), centred = add_per_channel(near, -mean(near * weights));
  const Tensor var = mean(square(centred * weights));
  return {add_per_channel(scale_per_channel(centred, gamma * rsqrt(var + eps)), beta), rounded_mean(m), biased_var(m),
          m.count};
}

// The parts of a ghost batch are the examples of an instance norm: (N, ..., C) as (parts, rows of a part, C).
Normalized ghost_batch_norm(const Tensor& x, int64_t parts, const Tensor& gamma, const Tensor& beta, real eps) {
  const int64_t channels = x.channels(), rows = x.rows() / parts;
  const Tensor cut = reshape(x, {parts, rows, channels});
  Moments all(channels);  // the mean of the parts' variances, each about its own mean
  for (int64_t p = 0; p < parts; ++p) {
    const Moments part = moments(x, p * rows, (p + 1) * rows);
    for (size_t c = 0; c < all.mean.size(); ++c) {
      all.mean[c] += part.mean[c] / static_cast<double>(parts);
      all.squares[c] += part.squares[c];
    }
  }
  all.count = static_cast<double>(x.rows());
  return {reshape(group_norm(cut, channels, gamma, beta, eps), x.shape()), rounded_mean(all), biased_var(all),
          all.count};
}

// The mean of the shards' means and variances, by their rows, and all their rows and parts.
void average_over(Shard& shard, Normalized& n, int64_t& parts) {
  std::vector<double> all{n.rows, static_cast<double>(parts)};
  for (const Tensor* t : {&n.mean, &n.var}) all.insert(all.end(), t->data(), t->data() + t->size());
  const auto merge = [](void* into, const void* from, size_t bytes) {
    auto* a = static_cast<double*>(into);
    const auto* b = static_cast<const double*>(from);
    const double share = b[0] / (a[0] + b[0]);
    for (size_t i = 2; i < bytes / sizeof(double); ++i) a[i] += (b[i] - a[i]) * share;
    a[0] += b[0];
    a[1] += b[1];
  };
  shard.fold(all.data(), all.size() * sizeof(double), {merge});
  const auto middle = all.begin() + 2 + n.mean.size();
  n.rows = all[0];
  parts = static_cast<int64_t>(all[1]);
  n.mean = rounded({all.begin() + 2, middle});
  n.var = rounded({middle, all.end()});
}

}  // namespace

BatchNorm::BatchNorm(int64_t channels, const BatchNormOptions& o)
    : RunningNorm(channels), options(o), running_var(Tensor::full({channels}, 1)), running_rows(Tensor::scalar(0)) {
  check_options("batch", options);
  if (options.affine && options.gamma) gamma.track();
  if (options.affine) beta.track();
}

Tensor BatchNorm::forward_then(const Tensor& x, Mode mode, const Epilogue& then) {
  if (watch) watch(x);
  if (mode == Mode::eval || options.frozen)
    return batch_norm_inference(x, running_mean, running_var, gamma, beta, options.eps, then);
  int64_t parts = 1;
  const Normalized batch = normalise(x, then, parts);
  if (mode == Mode::train) average(batch, batch.rows / static_cast<double>(parts));
  return batch.y;
}

// `parts`: how many ghost batches there are in all shards.
Normalized BatchNorm::normalise(const Tensor& x, const Epilogue& then, int64_t& parts) const {
  const bool alone = options.local || (options.ghost > 0 && !mask.defined());
  Shard* const shard = this_shard();
  const InShard scope(alone ? nullptr : shard);
  Normalized result;
  if (mask.defined()) {
    check(mask.size() == x.rows(), "batch_norm: a mask has one number for each of the {} rows of {}, got {}", x.rows(),
          x.shape(), mask.size());
    int64_t count = 0;
    for (real v : mask.values()) {
      check(v == 0 || v == 1, "batch_norm: a mask holds 1 for a row that counts and 0 for others, got {}", v);
      count += v == 1;
    }
    result = masked_batch_norm(x, mask, gamma, beta, count, options.eps);
    result.y = then(result.y);
  } else if (options.ghost > 0 && x.dim(0) / options.ghost > 1) {
    parts = x.dim(0) / options.ghost;
    while (x.dim(0) % parts != 0) --parts;
    check(
        x.rows() / parts >= 2,
        "batch_norm: a ghost batch of one value per channel has no variance, x is {} in {} ghost batches; use a larger "
        "ghost",
        x.shape(), parts);
    result = ghost_batch_norm(x, parts, gamma, beta, options.eps);
    result.y = then(result.y);
  } else {
    result = batch_norm(x, gamma, beta, options.eps, then);
  }
  if (shard && alone) average_over(*shard, result, parts);
  return result;
}

RunningNorm::Statistics BatchNorm::statistics() const { return {running_mean, running_var + options.eps}; }

void BatchNorm::set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) {
  RunningNorm::set_statistics(mean, biased_var, rows);
  running_var.copy_from(biased_var * static_cast<real>(options.unbiased ? rows / (rows - 1) : 1));
  *batches.mutable_data() = 1;
  *running_rows.mutable_data() = static_cast<real>(rows);
}

void BatchNorm::average(const Normalized& batch, double rows_of_part) {
  const double before = running_weight.item(), t = batches.item(), counted = running_rows.item();
  const double all = batch.rows + (before == 0 ? 0 : counted > 1 ? counted : std::max(1.0, t) * batch.rows);
  const double a = options.cumulative ? batch.rows / all : options.new_weight;
  const double bessel = options.unbiased ? rows_of_part / (rows_of_part - 1) : 1;
  if (move_averages(a, batch.mean, running_var, batch.var, bessel))
    *running_rows.mutable_data() = static_cast<real>(all);
}

void BatchNorm::visit(Visitor& v) {
  if (options.affine) {
    if (options.gamma)
      v.parameter("weight", gamma, false);
    else
      v.buffer("weight", gamma);  // because other programs' files have it
    v.parameter("bias", beta, false);
  }
  v.buffer("running_mean", running_mean);
  v.buffer("running_var", running_var);
  v.state("running_weight", running_weight);
  v.count("num_batches_tracked", batches);
  v.state("running_rows", running_rows);
}

std::string BatchNorm::describe() const { return "batch" + describe_options(options); }

}  // namespace evenkeel
