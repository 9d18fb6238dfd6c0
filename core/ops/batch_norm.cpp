#include "core/ops/batch_norm.h"

#include <algorithm>
#include <memory>

#include "core/base/parallel.h"
#include "core/base/shards.h"
#include "core/kernels/normalize.h"
#include "core/ops/all_sum.h"
#include "core/ops/elementwise.h"
#include "core/ops/per_channel.h"
#include "core/ops/reduce.h"

namespace evenkeel {
namespace {

Tensor normalize(const Affine& a, const Tensor& x, const Epilogue& then) {
  Tensor y = Tensor::empty(x.shape());
  normalize_batch(a, x.rows(), x.data(), then.add.defined() ? then.add.data() : nullptr, then.after, y.mutable_data());
  return y;
}

GradientSums over_shards(const GradientSums& mine, Shard& shard) {
  std::vector<double> both = mine.g;
  both.insert(both.end(), mine.gx.begin(), mine.gx.end());
  shard.sum(both.data(), static_cast<int64_t>(both.size()));
  GradientSums sums(0);
  const auto middle = both.begin() + static_cast<std::ptrdiff_t>(mine.g.size());
  sums.g.assign(both.begin(), middle);
  sums.gx.assign(middle, both.end());
  return sums;
}

// dgamma = sum g xhat, dbeta = sum g, dx as NormGradient says. `rows`: how many rows the statistics were computed from;
// 0: they are constants.
Grads backward(const Affine& a, const Tensor& x, const Tensor& gamma, const Tensor& y, const Tensor& g,
               const Epilogue& then, double rows) {
  const bool first = norm_pulls_first(then), has_add = then.add.defined();
  Tensor pulled = first ? reuse_or_empty(g) : Tensor();
  const GradientSums sums = batch_gradient_sums(a, x.rows(), x.data(), g.data(),
                                                {.after = then.after,
                                                 .add = has_add ? then.add.data() : nullptr,
                                                 .y = norm_reads_result(then) ? y.data() : nullptr,
                                                 .to = first ? pulled.mutable_data() : nullptr});
  const Tensor& from = first ? pulled : g;  // the gradient of `add`
  Tensor dx;
  if (x.tracked()) {
    dx = has_add ? Tensor::empty(x.shape()) : first ? pulled : reuse_or_empty(g);
    const bool constants = rows == 0;
    Shard* const shard = constants ? nullptr : this_shard();
    const NormGradient gradient(a, gamma.data(), shard ? over_shards(sums, *shard) : sums, constants ? 1 : rows,
                                constants);
    normalize_batch_backward(gradient, x.rows(), x.data(), from.data(), then.after == After::relu && !first,
                             dx.mutable_data());
  }
  Grads d{dx, rounded(sums.gx), rounded(sums.g)};
  if (has_add) d.push_back(from);
  return d;
}

}  // namespace

Tensor rounded(const std::vector<double>& values) {
  Tensor t = Tensor::empty({static_cast<int64_t>(values.size())});
  std::transform(values.begin(), values.end(), t.mutable_data(), [](double v) { return static_cast<real>(v); });
  return t;
}

void check_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps,
                const Epilogue& then) {
  const Shape channels{x.channels()};
  check(x.shape().rank() >= 1 && x.size() > 0, "{}: x must have values, its shape is {}", op, x.shape());
  check(gamma.shape() == channels && beta.shape() == channels, "{}: x {} needs gamma and beta {}, got {} and {}", op,
        x.shape(), channels, gamma.shape(), beta.shape());
  check(!then.pool, "{}: only a convolution pools in its epilogue; call max_pool()", op);
  check(eps >= 0, "{}: eps must not be negative, got {}", op, eps);
  check(!then.add.defined() || then.add.shape() == x.shape(), "{}: `add` must have x's shape {}, got {}", op, x.shape(),
        then.add.defined() ? then.add.shape() : Shape());
}

std::vector<Tensor> norm_inputs(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Epilogue& then) {
  std::vector<Tensor> inputs{x, gamma, beta};
  if (then.add.defined()) inputs.push_back(then.add);
  return inputs;
}

Epilogue then_of(const std::vector<Tensor>& inputs, After after) {
  return {.add = inputs.size() > 3 ? inputs[3] : Tensor(), .after = after};
}

bool norm_reads_result(const Epilogue& then) { return then.after == After::relu && then.add.defined(); }

bool norm_pulls_first(const Epilogue& then) { return norm_reads_result(then) || then.after == After::gelu; }

Tensor rounded_mean(const Moments& m) { return rounded(m.mean); }

Tensor biased_var(const Moments& m) {
  std::vector<double> var = m.squares;
  for (double& v : var) v /= m.count;
  return rounded(var);
}

Moments over_shards(Moments m) {
  Shard* const shard = this_shard();
  if (!shard) return m;
  std::vector<double> flat = m.flat();
  const auto merge = [](void* into, const void* from, size_t bytes) {
    const int64_t channels = static_cast<int64_t>(bytes / sizeof(double)) / 2;
    auto* to = static_cast<double*>(into);
    Moments all = Moments::from_flat(to, channels);
    all.merge(Moments::from_flat(static_cast<const double*>(from), channels));
    std::ranges::copy(all.flat(), to);
  };
  shard->fold(flat.data(), flat.size() * sizeof(double), {merge});
  return Moments::from_flat(flat.data(), static_cast<int64_t>(m.mean.size()));
}

Moments moments(const Tensor& x, int64_t begin, int64_t end) {
  check(0 <= begin && begin < end && end <= x.rows(), "moments: x {} has no rows [{}, {})", x.shape(), begin, end);
  const int64_t channels = x.channels(), rows = end - begin, block = row_block(channels);
  const real* first = x.data() + begin * channels;
  if (const Moments* kept = x.storage()->moments.get();
      kept && rows == x.rows() && kept->mean.size() == static_cast<size_t>(channels))
    return *kept;
  std::vector<Moments> parts(static_cast<size_t>((rows + block - 1) / block));
  parallel_blocks(rows, block, [&](int64_t from, int64_t to) {
    parts[from / block] = moments_of_rows(first + from * channels, to - from, channels);
  });
  return merged(std::move(parts));
}

Normalized batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps, const Epilogue& then) {
  check_norm("batch_norm", x, gamma, beta, eps, then);
  Shard* const shard = this_shard();
  Moments m = over_shards(moments(x, 0, x.rows()));
  check(m.count >= 2,
        "batch_norm: one value per channel has no variance, x is {}; train on batches of two or more (drop a last "
        "batch of one), "
        "or normalise with the running statistics",
        x.shape());
  const double rows = m.count;
  std::vector<double>& var = m.squares;
  for (double& v : var) v /= m.count;
  const auto affine = std::make_shared<const Affine>(m.mean, var, eps, x.channels(), gamma.data(), beta.data());
  const std::vector<Tensor> inputs = norm_inputs(x, gamma, beta, then);
  const auto vjp = [=](const Tensor& out, const Tensor& g) {
    const InShard scope(shard);
    if (!recording()) return backward(*affine, x, gamma, out, g, then, rows);
    return pull_back(
        [&](const std::vector<Tensor>& in) {
          return batch_norm_definition(in[0], in[1], in[2], eps, then_of(in, then.after));
        },
        inputs, g);
  };
  Tensor y = record(normalize(*affine, x, then), inputs, vjp_of(norm_reads_result(then), vjp));
  return {y, rounded_mean(m), rounded(var), rows};
}

Tensor batch_norm_definition(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps, const Epilogue& then) {
  check_norm("batch_norm_definition", x, gamma, beta, eps, then);
  // 1. The mean and variance of the batch: of the rows of all shards.
  const Moments m = over_shards(moments(x, 0, x.rows()));
  const auto mean = [&](const Tensor& v) { return all_sum(sum_rows(v)) / static_cast<real>(m.count); };
  const Tensor near = add_per_channel(x, -rounded_mean(m)), centred = add_per_channel(near, -mean(near));
  const Tensor var = mean(square(centred));
  // 2. Mean 0, variance 1 (var / (var + eps), to be exact).
  const Tensor normalised = scale_per_channel(centred, rsqrt(var + eps));
  // 3. The scale and shift that are learnt.
  return then(add_per_channel(scale_per_channel(normalised, gamma), beta));
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& gamma,
                            const Tensor& beta, real eps, const Epilogue& then) {
  check_norm("batch_norm_inference", x, gamma, beta, eps, then);
  check(mean.shape() == gamma.shape() && var.shape() == gamma.shape(),
        "batch_norm_inference: x {} needs mean and var {}, got {} and {}", x.shape(), gamma.shape(), mean.shape(),
        var.shape());
  check(!mean.tracked() && !var.tracked(), "batch_norm_inference: mean and var are constants; detach() them");
  const std::vector<Tensor> inputs = norm_inputs(x, gamma, beta, then);
  const std::vector<double> centre(mean.data(), mean.data() + mean.size()), spread(var.data(), var.data() + var.size());
  const auto affine = std::make_shared<const Affine>(centre, spread, eps, x.channels(), gamma.data(), beta.data());
  const auto definition = [=](const std::vector<Tensor>& in) {
    const Tensor normalised = scale_per_channel(add_per_channel(in[0], -mean), rsqrt(var + eps));
    const Tensor y = add_per_channel(scale_per_channel(normalised, in[1]), in[2]);
    return then_of(in, then.after)(y);
  };
  std::vector<Tensor> all = inputs;  // the statistics are constants; record() checks that nobody writes to them
  all.insert(all.end(), {mean, var});
  const auto vjp = [=, count = all.size()](const Tensor& out, const Tensor& g) {
    Grads d = recording() ? pull_back(definition, inputs, g) : backward(*affine, x, gamma, out, g, then, 0);
    d.resize(count);
    return d;
  };
  return record(normalize(*affine, x, then), all, vjp_of(norm_reads_result(then), vjp));
}

}  // namespace evenkeel
