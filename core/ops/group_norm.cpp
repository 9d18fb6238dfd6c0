#include "core/ops/group_norm.h"

#include "core/base/parallel.h"
#include "core/kernels/normalize.h"
#include "core/kernels/simd.h"
#include "core/ops/batch_norm.h"
#include "core/ops/per_channel.h"
#include "core/ops/rearrange.h"
#include "core/ops/reduce.h"

namespace evenkeel {
namespace {

struct Groups {
  Groups(const Tensor& x, int64_t groups)
      : examples(x.dim(0)),
        positions(x.rows() / x.dim(0)),
        channels(x.channels()),
        groups(groups),
        each(channels / groups) {}
  int64_t examples, positions, channels, groups, each;   // `each`: channels of a group
  int64_t size() const { return positions * channels; }  // of an example
  int64_t block() const { return row_block(size()); }    // examples
  bool streamed() const { return worth_streaming(examples * size(), channels); }
};

// Mean and variance of every group of one example.
struct GroupStatistics {
  GroupStatistics(const Groups& g, const real* x)
      : mean(static_cast<size_t>(g.groups)), var(static_cast<size_t>(g.groups)) {
    // If all channels are one group, they are one long column; otherwise the channels' moments are merged over each
    // group.
    const Moments m = g.groups == 1 ? moments_of_rows(x, g.size(), 1) : moments_of_rows(x, g.positions, g.channels);
    const int64_t columns = static_cast<int64_t>(m.mean.size()) / g.groups;
    for (int64_t group = 0; group < g.groups; ++group) {
      const double share = 1 / static_cast<double>(columns);
      const double *means = m.mean.data() + group * columns, *squares = m.squares.data() + group * columns;
      for (int64_t c = 0; c < columns; ++c) mean[group] += means[c] * share;
      for (int64_t c = 0; c < columns; ++c) {
        const double shift = means[c] - mean[group];
        var[group] += (squares[c] / m.count + shift * shift) * share;
      }
    }
  }
  std::vector<double> mean, var;
};

Affine group_affine(const Groups& g, const real* x, const Tensor& gamma, const Tensor& beta, double eps) {
  const GroupStatistics s(g, x);
  return Affine(s.mean, s.var, eps, g.channels, gamma.data(), beta.data());
}

// (N, C): at every channel the rounded mean of its group, a constant.
Tensor rounded_group_means(const Groups& g, const Tensor& x) {
  Tensor means = Tensor::empty({g.examples, g.channels});
  real* out = means.mutable_data();
  for (int64_t n = 0; n < g.examples; ++n) {
    const GroupStatistics s(g, x.data() + n * g.size());
    for (int64_t c = 0; c < g.channels; ++c) out[n * g.channels + c] = static_cast<real>(s.mean[c / g.each]);
  }
  return means;
}

// dx, dgamma, dbeta and, if there is one, the gradient of `add`, by the statistics of each example's groups. y is read
// only if norm_reads_result(then).
Grads group_backward(const Groups& g, const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps,
                     const Tensor& y, const Tensor& cotangent, const Epilogue& then) {
  const bool first = norm_pulls_first(then), has_add = then.add.defined();
  Tensor pulled = first ? reuse_or_empty(cotangent) : Tensor();
  Tensor dx = has_add ? Tensor::empty(x.shape()) : first ? pulled : reuse_or_empty(cotangent);
  real *const to = first ? pulled.mutable_data() : nullptr, *const out = dx.mutable_data();
  const Tensor& from = first ? pulled : cotangent;  // the gradient of `add`
  std::vector<GradientSums> parts(static_cast<size_t>((g.examples + g.block() - 1) / g.block()),
                                  GradientSums(g.channels));
  parallel_blocks(g.examples, g.block(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t at = n * g.size();
      const real *xn = x.data() + at, *gn = cotangent.data() + at;
      const Affine a = group_affine(g, xn, gamma, beta, eps);
      const Pull pull{.after = then.after,
                      .add = has_add ? then.add.data() + at : nullptr,
                      .y = norm_reads_result(then) ? y.data() + at : nullptr,
                      .to = first ? to + at : nullptr};
      const GradientSums sums = gradient_sums(a, xn, gn, pull, 0, g.size());
      parts[begin / g.block()] += sums;
      normalize_rows_backward(NormGradient(a, gamma.data(), sums, static_cast<double>(g.positions), false), xn,
                              from.data() + at, then.after == After::relu && !first, g.streamed() && out != from.data(),
                              out + at, 0, g.size());
    }
  });
  for (size_t i = 1; i < parts.size(); ++i) parts[0] += parts[i];
  Grads d{dx, rounded(parts[0].gx), rounded(parts[0].g)};
  if (has_add) d.push_back(from);
  return d;
}

}  // namespace

void check_groups(const Shape& x, int64_t groups) {
  check(x.rank() >= 2, "group_norm: x needs an axis of examples and one of channels, got {}", x);
  check(groups >= 1 && x.channels() % groups == 0, "group_norm: {} channels cannot be cut into {} groups of one size",
        x.channels(), groups);
  int64_t values = x.channels() / groups;  // of an example in a group
  for (int i = 1; i + 1 < x.rank(); ++i) values *= x[i];
  check(values >= 2, "group_norm: one value per group has no variance, x is {} in {} groups; use fewer groups", x,
        groups);
}

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps,
                  const Epilogue& then) {
  check_norm("group_norm", x, gamma, beta, eps, then);
  check_groups(x.shape(), groups);
  const Groups g(x, groups);
  Tensor y = Tensor::empty(x.shape());
  parallel_blocks(g.examples, g.block(), [&, out = y.mutable_data()](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t at = n * g.size();
      const real* xn = x.data() + at;
      normalize_rows(group_affine(g, xn, gamma, beta, eps), xn, then.add.defined() ? then.add.data() + at : nullptr,
                     then.after, g.streamed(), out + at, 0, g.size());
    }
  });
  const std::vector<Tensor> inputs = norm_inputs(x, gamma, beta, then);
  const auto vjp = [=](const Tensor& out, const Tensor& cotangent) {
    if (!recording()) return group_backward(g, x, gamma, beta, eps, out, cotangent, then);
    return pull_back(
        [&](const std::vector<Tensor>& in) {
          return group_norm_definition(in[0], groups, in[1], in[2], eps, then_of(in, then.after));
        },
        inputs, cotangent);
  };
  return record(y, inputs, vjp_of(norm_reads_result(then), vjp));
}

Tensor group_norm_definition(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps,
                             const Epilogue& then) {
  check_norm("group_norm_definition", x, gamma, beta, eps, then);
  check_groups(x.shape(), groups);
  const int64_t examples = x.dim(0), channels = x.channels(), each = channels / groups;
  const Shape grouped{examples, groups, each};
  // The mean of each element's group, at every element.
  auto group_mean = [&](const Tensor& v) {
    const Tensor sums =
        sum_channels(reshape(sum_positions(v), grouped)) / static_cast<real>(v.rows() / examples * each);
    return spread_positions(reshape(spread_channels(sums, grouped), {examples, channels}), v.shape());
  };
  const Tensor near = x - spread_positions(rounded_group_means(Groups(x, groups), x), x.shape()),
               centred = near - group_mean(near);
  const Tensor normalised = centred * rsqrt(group_mean(square(centred)) + eps);
  return then(add_per_channel(scale_per_channel(normalised, gamma), beta));
}

}  // namespace evenkeel
