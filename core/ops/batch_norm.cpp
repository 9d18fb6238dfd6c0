// The kernels see rows x channels and make two passes: sums over rows, then y or dx as a line in its inputs, channel by channel.
// Batch norm sums over a whole batch, group norm over one example and the channels of a group: the same code.
#include "core/ops/batch_norm.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "core/ops/reduce.h"
#include "core/kernels/rows.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

using Doubles = std::vector<double>;
constexpr real no_floor = -std::numeric_limits<real>::infinity();

Doubles doubles(int64_t n) { return Doubles(static_cast<size_t>(n)); }

Tensor rounded(const Doubles& values) {
  Tensor t = Tensor::empty({static_cast<int64_t>(values.size())});
  std::transform(values.begin(), values.end(), t.mutable_data(), [](double v) { return static_cast<real>(v); });
  return t;
}

// Each run in two passes: its mean, rounded, and then what differs from it. Runs are merged in order.
Moments moments_of(const real* x, int64_t rows, int64_t channels) {
  Runs runs(channels);
  Moments all(channels), one(channels);
  Lanes pivots(channels);
  real* pivot = pivots.data();
  double *mean = one.mean.data(), *squares = one.squares.data();
  for (int64_t begin = 0; begin < rows * channels; begin += runs.size()) {
    const int64_t end = std::min(rows * channels, begin + runs.size());
    const double count = one.count = static_cast<double>((end - begin) / channels);
    std::fill_n(mean, channels, 0.0);
    runs.add(begin, end, mean, [=](int64_t i, int64_t, real& p) { p += x[i]; });
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) pivot[c] = static_cast<real>(mean[c] / count);
    pivots.repeat();
    std::fill_n(mean, channels, 0.0);
    std::fill_n(squares, channels, 0.0);
    runs.add(begin, end, mean, squares, [=](int64_t i, int64_t j, real& p, real& q) {
      const real d = x[i] - pivot[j];
      p += d;
      q += d * d;
    });
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const double rest = mean[c] / count;
      squares[c] -= mean[c] * rest;
      mean[c] = pivot[c] + rest;
    }
    all.merge(one);
  }
  return all;
}

// y = (x - centre) scale + shift per channel, for the mean and variance of every group of neighbouring channels (in batch norm a
// group is a channel). The mean is a double: `centre` is its rounding, and what is left goes into the shift, so that x = mean +
// 1e-5 mean keeps its digits and a constant channel gives beta exactly.
struct Line {
  Line(const Doubles& mean, const Doubles& var, double eps, const Tensor& gamma, const Tensor& beta)
      : channels(gamma.size()), each(channels / static_cast<int64_t>(mean.size())), rstd(mean.size()), below(mean.size()),
        centre(channels), scale(channels), shift(channels) {
    for (size_t g = 0; g < mean.size(); ++g) {
      const real rounded = static_cast<real>(mean[g]);
      rstd[g] = 1 / std::sqrt(var[g] + eps);
      below[g] = mean[g] - rounded;
      const int64_t first = static_cast<int64_t>(g) * each;
      const double r = rstd[g], b = below[g];
      for (int64_t c = first; c < first + each; ++c) {
        centre.data()[c] = rounded;
        scale.data()[c] = static_cast<real>(gamma.data()[c] * r);
        shift.data()[c] = static_cast<real>(beta.data()[c] - b * r * gamma.data()[c]);
      }
    }
    for (Lanes* lanes : {&centre, &scale, &shift}) lanes->repeat();
  }
  int64_t channels, each;  // channels of a group
  Doubles rstd, below;     // of a group; below = mean - centre
  Lanes centre, scale, shift;
};

// max(v, floor), where NaN stays NaN, and scalar.h's gate: of numbers and of Vecs.
inline real at_least(real v, real floor) { return v < floor ? floor : v; }
inline Vec at_least(Vec v, real floor) { return v < Vec{} + floor ? Vec{} + floor : v; }
inline Vec gate(Vec g, Vec y) { return y > Vec{} ? g : at_least(y, 0); }
using evenkeel::gate;

// to[i] = f(load, i, lane) over the elements [begin, end), where load(p) is what lies at p: a number, or neighbouring ones where the
// result is large enough to be written past the caches.
template <class F>
void write_elements(int64_t channels, int64_t width, bool streamed, int64_t begin, int64_t end, real* to, F f) {
  if (!streamed) {
    for_elements(begin, end, width, [=](int64_t i, int64_t j) { to[i] = f([](const real* p) { return *p; }, i, j); });
    return;
  }
  for (int64_t i = begin; i < end; i += channels)
    for (int64_t j = 0; j < channels; j += lanes) stream(to + i + j, f([](const real* p) { return Vec(vec(p)); }, i + j, j));
  stream_end();
}

// y = max(floor, line(x) + add) over the elements [begin, end); NaN stays NaN.
void apply(const Line& line, const real* x, const real* add, real floor, bool streamed, real* y, int64_t begin, int64_t end) {
  const real *centre = line.centre.data(), *scale = line.scale.data(), *shift = line.shift.data();
  const int64_t channels = line.channels, width = line.centre.width();
  if (add) {
    write_elements(channels, width, streamed, begin, end, y, [=](auto at, int64_t i, int64_t j) {
      return at_least((at(x + i) - at(centre + j)) * at(scale + j) + at(shift + j) + at(add + i), floor);
    });
  } else {
    write_elements(channels, width, streamed, begin, end, y, [=](auto at, int64_t i, int64_t j) {
      return at_least((at(x + i) - at(centre + j)) * at(scale + j) + at(shift + j), floor);
    });
  }
}

// What the gradients need of x and g, per channel, over some rows.
struct Sums {
  explicit Sums(int64_t channels) : g(doubles(channels)), gx(doubles(channels)) {}
  Doubles g, gx;  // sum of g; sum of g xhat
  void operator+=(const Sums& other) {
    for (size_t c = 0; c < g.size(); ++c) {
      g[c] += other.g[c];
      gx[c] += other.gx[c];
    }
  }
};

// The sums over the elements [begin, end), of g as relu, if there is one, pulls it back: by line(x); or, if the output
// y is given, by y, and the result goes to `masked`.
Sums gradient_sums(const Line& line, const real* x, const real* g, bool relu, const real* y, real* masked,
                   int64_t begin, int64_t end) {
  Runs runs(line.channels);
  Sums sums(line.channels);
  const real *centre = line.centre.data(), *scale = line.scale.data(), *shift = line.shift.data();
  auto add = [&](auto pulled) {
    runs.add(begin, end, sums.g.data(), sums.gx.data(), [=](int64_t i, int64_t j, real& p, real& q) {
      const real d = x[i] - centre[j], gi = pulled(i, j, d);
      p += gi;
      q += gi * d;
    });
  };
  if (y)
    add([=](int64_t i, int64_t, real) { return masked[i] = gate(g[i], y[i]); });
  else if (relu)
    add([=](int64_t i, int64_t j, real d) { return gate(g[i], d * scale[j] + shift[j]); });
  else
    add([=](int64_t i, int64_t, real) { return g[i]; });
  for (size_t group = 0, c = 0; group < line.rstd.size(); ++group)
    for (int64_t k = 0; k < line.each; ++k, ++c) sums.gx[c] = line.rstd[group] * (sums.gx[c] - line.below[group] * sums.g[c]);
  return sums;
}

// dx = rstd (gamma g - a / m - xhat b / m) = scale g + slope (x - centre) + offset, where a and b are the sums of gamma g and
// gamma g xhat over the m = rows * each values of a group; scale g alone where the statistics are constants.
struct GradientLine {
  GradientLine(const Line& line, const Tensor& gamma, const Sums& sums, int64_t rows, bool constant_statistics)
      : line(line), constant_statistics(constant_statistics), slope(line.channels), offset(line.channels) {
    const double count = static_cast<double>(rows * line.each);
    for (size_t g = 0; g < line.rstd.size(); ++g) {
      const int64_t first = static_cast<int64_t>(g) * line.each;
      double a = 0, b = 0;
      for (int64_t c = first; c < first + line.each; ++c) {
        a += gamma.data()[c] * sums.g[c];
        b += gamma.data()[c] * sums.gx[c];
      }
      const double r = line.rstd[g], s = -r * r * b / count;
      std::fill_n(slope.data() + first, line.each, static_cast<real>(s));
      std::fill_n(offset.data() + first, line.each, static_cast<real>(-r * a / count - line.below[g] * s));
    }
    slope.repeat();
    offset.repeat();
  }
  const Line& line;
  const bool constant_statistics;
  Lanes slope, offset;
};

// dx over the elements [begin, end), with g pulled back as above, by line(x).
void apply(const GradientLine& gradient, const real* x, const real* g, bool relu, bool streamed, real* dx,
           int64_t begin, int64_t end) {
  const Line& line = gradient.line;
  const real *centre = line.centre.data(), *scale = line.scale.data(), *shift = line.shift.data();
  const real *slope = gradient.slope.data(), *offset = gradient.offset.data();
  auto write = [&](auto pulled) {
    if (gradient.constant_statistics) {
      write_elements(line.channels, line.centre.width(), streamed, begin, end, dx, [=](auto at, int64_t i, int64_t j) {
        return pulled(at, i, j, at(x + i) - at(centre + j)) * at(scale + j);
      });
    } else {
      write_elements(line.channels, line.centre.width(), streamed, begin, end, dx, [=](auto at, int64_t i, int64_t j) {
        const auto d = at(x + i) - at(centre + j);
        return pulled(at, i, j, d) * at(scale + j) + d * at(slope + j) + at(offset + j);
      });
    }
  };
  if (relu)
    write([=](auto at, int64_t i, int64_t j, auto d) { return gate(at(g + i), d * at(scale + j) + at(shift + j)); });
  else
    write([=](auto at, int64_t i, int64_t, auto) { return at(g + i); });
}

void check_arguments(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options) {
  const Shape channels{x.channels()};
  check(x.shape().rank() >= 1 && x.size() > 0, "{}: x must have values, its shape is {}", op, x.shape());
  check(gamma.shape() == channels && beta.shape() == channels, "{}: x {} needs gamma and beta {}, got {} and {}", op, x.shape(),
        channels, gamma.shape(), beta.shape());
  check(!options.add.defined() || options.add.shape() == x.shape(), "{}: `add` must have x's shape {}, got {}", op, x.shape(),
        options.add.defined() ? options.add.shape() : Shape());
  check(options.eps >= 0, "{}: eps must not be negative, got {}", op, options.eps);
}

std::vector<Tensor> inputs_of(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options) {
  std::vector<Tensor> inputs{x, gamma, beta};
  if (options.add.defined()) inputs.push_back(options.add);
  return inputs;
}

Tensor then(Tensor y, const NormOptions& options) {
  if (options.add.defined()) y = y + options.add;
  return options.relu ? relu(y) : y;
}

Tensor normalize_batch(const Line& line, const Tensor& x, const NormOptions& options) {
  Tensor y = Tensor::empty(x.shape());
  const int64_t channels = x.channels();
  const real* add = options.add.defined() ? options.add.data() : nullptr;
  const bool streamed = worth_streaming(x.size(), channels);
  parallel_blocks(x.rows(), row_block(channels), [&, out = y.mutable_data()](int64_t begin, int64_t end) {
    apply(line, x.data(), add, options.relu ? 0 : no_floor, streamed, out, begin * channels, end * channels);
  });
  return y;
}

// dgamma = sum g xhat, dbeta = sum g, dx as GradientLine says.
Grads batch_backward(const Line& line, const Tensor& x, const Tensor& gamma, const Tensor& y, Tensor g, const NormOptions& options,
                     bool constant_statistics) {
  const int64_t channels = x.channels(), block = row_block(channels);
  bool relu = options.relu;
  Tensor masked;  // the gradient of `add`
  const bool from_y = options.relu && options.add.defined();
  if (from_y) masked = Tensor::empty(x.shape());
  std::vector<Sums> parts(static_cast<size_t>((x.rows() + block - 1) / block), Sums(0));
  parallel_blocks(x.rows(), block, [&, out = from_y ? masked.mutable_data() : nullptr](int64_t begin, int64_t end) {
    parts[begin / block] = gradient_sums(line, x.data(), g.data(), relu, from_y ? y.data() : nullptr, out,
                                         begin * channels, end * channels);
  });
  Sums sums = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) sums += parts[i];
  if (from_y) {
    g = masked;
    relu = false;
  }
  Tensor dx;
  if (x.tracked()) {
    const GradientLine gradient(line, gamma, sums, x.rows(), constant_statistics);
    dx = Tensor::empty(x.shape());
    const bool streamed = worth_streaming(x.size(), channels);
    parallel_blocks(x.rows(), block, [&, out = dx.mutable_data()](int64_t begin, int64_t end) {
      apply(gradient, x.data(), g.data(), relu, streamed, out, begin * channels, end * channels);
    });
  }
  Grads d{dx, rounded(sums.gx), rounded(sums.g)};
  if (options.add.defined()) d.push_back(g);
  return d;
}

Tensor with_add(const std::vector<Tensor>& in) { return in.size() > 3 ? in[3] : Tensor(); }

}  // namespace

// Chan, Golub and LeVeque 1979: exact, and safe for any mean.
void Moments::merge(const Moments& other) {
  check(mean.size() == other.mean.size(), "moments: {} channels cannot be merged with {}", mean.size(), other.mean.size());
  const double all = count + other.count, share = other.count / all, weight = count * share;
  double *m = mean.data(), *s = squares.data();
  const double *om = other.mean.data(), *os = other.squares.data();
  const size_t channels = mean.size();
#pragma omp simd
  for (size_t c = 0; c < channels; ++c) {
    const double shift = om[c] - m[c];
    m[c] += shift * share;
    s[c] += os[c] + shift * shift * weight;
  }
  count = all;
}

Tensor Moments::rounded_mean() const { return rounded(mean); }

Tensor Moments::biased_var() const {
  Doubles var = squares;
  for (double& v : var) v /= count;
  return rounded(var);
}

Moments moments(const Tensor& x, int64_t begin, int64_t end) {
  check(0 <= begin && begin < end && end <= x.rows(), "moments: x {} has no rows [{}, {})", x.shape(), begin, end);
  const int64_t channels = x.channels(), rows = end - begin, block = row_block(channels);
  const real* first = x.data() + begin * channels;
  std::vector<Moments> parts(static_cast<size_t>((rows + block - 1) / block));
  parallel_blocks(rows, block, [&](int64_t from, int64_t to) {
    parts[from / block] = moments_of(first + from * channels, to - from, channels);
  });
  Moments all = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) all.merge(parts[i]);
  return all;
}

Normalized batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options) {
  check_arguments("batch_norm", x, gamma, beta, options);
  check(x.rows() >= 2,
        "batch_norm: one value per channel has no variance, x is {}; train on batches of two or more (drop a last batch of one), "
        "or normalise with the running statistics",
        x.shape());
  Moments m = moments(x, 0, x.rows());
  Doubles& var = m.squares;
  for (double& v : var) v /= m.count;
  const auto line = std::make_shared<const Line>(m.mean, var, options.eps, gamma, beta);
  const std::vector<Tensor> inputs = inputs_of(x, gamma, beta, options);
  Tensor y = record(normalize_batch(*line, x, options), inputs, [=](const Tensor& out, const Tensor& g) {
    if (!recording()) return batch_backward(*line, x, gamma, out, g, options, false);
    return pull_back([&](const std::vector<Tensor>& in) {
      return batch_norm_definition(in[0], in[1], in[2], {options.eps, with_add(in), options.relu});
    }, inputs, g);
  });
  return {y, m.rounded_mean(), rounded(var)};
}

Tensor batch_norm_definition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options) {
  check_arguments("batch_norm_definition", x, gamma, beta, options);
  // 1. The mean and variance of the batch.
  const Tensor near = add_per_channel(x, -moments(x, 0, x.rows()).rounded_mean()), centred = add_per_channel(near, -mean_rows(near));
  const Tensor var = mean_rows(square(centred));
  // 2. Mean 0, variance 1 (var / (var + eps), to be exact).
  const Tensor normalised = scale_per_channel(centred, rsqrt(var + options.eps));
  // 3. The scale and shift that are learnt.
  return then(add_per_channel(scale_per_channel(normalised, gamma), beta), options);
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& gamma, const Tensor& beta,
                            const NormOptions& options) {
  check_arguments("batch_norm_inference", x, gamma, beta, options);
  check(mean.shape() == gamma.shape() && var.shape() == gamma.shape(),
        "batch_norm_inference: x {} needs mean and var {}, got {} and {}", x.shape(), gamma.shape(), mean.shape(), var.shape());
  check(!mean.tracked() && !var.tracked(), "batch_norm_inference: mean and var are constants; detach() them");
  const std::vector<Tensor> inputs = inputs_of(x, gamma, beta, options);
  const Doubles centre(mean.data(), mean.data() + mean.size()), spread(var.data(), var.data() + var.size());
  const auto line = std::make_shared<const Line>(centre, spread, options.eps, gamma, beta);
  const auto definition = [=](const std::vector<Tensor>& in) {
    const Tensor normalised = scale_per_channel(add_per_channel(in[0], -mean), rsqrt(var + options.eps));
    const Tensor y = add_per_channel(scale_per_channel(normalised, in[1]), in[2]);
    return then(y, {options.eps, with_add(in), options.relu});
  };
  std::vector<Tensor> all = inputs;  // the statistics too, constants, for record() to watch
  all.insert(all.end(), {mean, var});
  return record(normalize_batch(*line, x, options), all, [=](const Tensor& out, const Tensor& g) {
    Grads d = recording() ? pull_back(definition, inputs, g) : batch_backward(*line, x, gamma, out, g, options, true);
    d.resize(all.size());
    return d;
  });
}

namespace {

struct Groups {
  Groups(const Tensor& x, int64_t groups)
      : examples(x.dim(0)), positions(x.rows() / x.dim(0)), channels(x.channels()), groups(groups), each(channels / groups) {}
  int64_t examples, positions, channels, groups, each;  // `each`: channels of a group
  int64_t size() const { return positions * channels; }  // of an example
  int64_t block() const { return row_block(size()); }    // examples
};

// Mean and variance of every group of one example.
struct GroupStatistics {
  GroupStatistics(const Groups& g, const real* x) : mean(doubles(g.groups)), var(doubles(g.groups)) {
    // Where all channels are one group they are one long column; else the moments of the channels are merged over each group.
    const Moments m = g.groups == 1 ? moments_of(x, g.size(), 1) : moments_of(x, g.positions, g.channels);
    const int64_t columns = static_cast<int64_t>(m.mean.size()) / g.groups;
    for (int64_t group = 0; group < g.groups; ++group) {
      const double share = 1 / static_cast<double>(columns);
      const double *means = &m.mean[group * columns], *squares = &m.squares[group * columns];
      for (int64_t c = 0; c < columns; ++c) mean[group] += means[c] * share;
      for (int64_t c = 0; c < columns; ++c) {
        const double shift = means[c] - mean[group];
        var[group] += (squares[c] / m.count + shift * shift) * share;
      }
    }
  }
  Doubles mean, var;
};

Line group_line(const Groups& g, const real* x, const Tensor& gamma, const Tensor& beta, double eps) {
  const GroupStatistics s(g, x);
  return Line(s.mean, s.var, eps, gamma, beta);
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

// As batch_backward, for every example by itself.
Grads group_backward(const Groups& g, const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps, const Tensor& cotangent) {
  Tensor dx = Tensor::empty(x.shape());
  std::vector<Sums> parts(static_cast<size_t>((g.examples + g.block() - 1) / g.block()), Sums(g.channels));
  parallel_blocks(g.examples, g.block(), [&, out = dx.mutable_data()](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const real *xn = x.data() + n * g.size(), *gn = cotangent.data() + n * g.size();
      const Line line = group_line(g, xn, gamma, beta, eps);
      const Sums sums = gradient_sums(line, xn, gn, false, nullptr, nullptr, 0, g.size());
      parts[begin / g.block()] += sums;
      apply(GradientLine(line, gamma, sums, g.positions, false), xn, gn, false, false, out + n * g.size(), 0, g.size());
    }
  });
  for (size_t i = 1; i < parts.size(); ++i) parts[0] += parts[i];
  return {dx, rounded(parts[0].gx), rounded(parts[0].g)};
}

}  // namespace

void check_groups(const Shape& x, int64_t groups) {
  check(x.rank() >= 2, "group_norm: x needs an axis of examples and one of channels, got {}", x);
  check(groups >= 1 && x.channels() % groups == 0, "group_norm: {} channels cannot be cut into {} groups of one size",
        x.channels(), groups);
  int64_t values = x.channels() / groups;  // of an example in a group
  for (int i = 1; i + 1 < x.rank(); ++i) values *= x[i];
  check(values >= 2, "group_norm: one value per group has no variance, x is {} in {} groups; use fewer groups", x, groups);
}

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps) {
  check_arguments("group_norm", x, gamma, beta, {.eps = eps});
  check_groups(x.shape(), groups);
  const Groups g(x, groups);
  Tensor y = Tensor::empty(x.shape());
  parallel_blocks(g.examples, g.block(), [&, out = y.mutable_data()](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const real* xn = x.data() + n * g.size();
      apply(group_line(g, xn, gamma, beta, eps), xn, nullptr, no_floor, false, out + n * g.size(), 0, g.size());
    }
  });
  return record(y, {x, gamma, beta}, [=](const Tensor&, const Tensor& cotangent) {
    if (!recording()) return group_backward(g, x, gamma, beta, eps, cotangent);
    return pull_back([&](const std::vector<Tensor>& in) { return group_norm_definition(in[0], groups, in[1], in[2], eps); },
                     {x, gamma, beta}, cotangent);
  });
}

Tensor group_norm_definition(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps) {
  const int64_t examples = x.dim(0), channels = x.channels(), each = channels / groups;
  const Shape grouped{examples, groups, each};
  // At every element the mean of its example's group.
  auto group_mean = [&](const Tensor& v) {
    const Tensor sums = sum_channels(reshape(sum_positions(v), grouped)) / static_cast<real>(v.rows() / examples * each);
    return spread_positions(reshape(spread_channels(sums, grouped), {examples, channels}), v.shape());
  };
  const Tensor near = x - spread_positions(rounded_group_means(Groups(x, groups), x), x.shape()), centred = near - group_mean(near);
  const Tensor normalised = centred * rsqrt(group_mean(square(centred)) + eps);
  return add_per_channel(scale_per_channel(normalised, gamma), beta);
}

}  // namespace evenkeel
