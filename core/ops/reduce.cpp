// Reductions sum blocks whose size depends on the shape only, and add the blocks' sums in order, in double.
#include "core/ops/reduce.h"

#include <algorithm>

#include "core/kernels/rows.h"
#include "core/ops/rearrange.h"

namespace evenkeel {
namespace {

// (C): sums over rows of term(i), where i is an element's index.
template <class Term>
Tensor sums_over_rows(int64_t rows, int64_t channels, Term term) {
  const int64_t block = row_block(channels), blocks = (rows + block - 1) / block;
  std::vector<double> partial(static_cast<size_t>(blocks * channels), 0.0);
  parallel_blocks(rows, block, [&](int64_t begin, int64_t end) {
    Runs(channels).add(begin * channels, end * channels, partial.data() + begin / block * channels,
                       [=](int64_t i, int64_t, real& p) { p += term(i); });
  });
  Tensor y = Tensor::empty({channels});
  real* out = y.mutable_data();
  for (int64_t c = 0; c < channels; ++c) {
    double s = 0;
    for (int64_t b = 0; b < blocks; ++b) s += partial[static_cast<size_t>(b * channels + c)];
    out[c] = static_cast<real>(s);
  }
  return y;
}

// (): the sum of term(i) for i in [0, n).
template <class Term>
Tensor total(int64_t n, Term term) {
  return sums_over_rows(n, 1, term).viewed({});
}

// A number times a tensor.
Tensor scaled(const Tensor& s, const Tensor& x) { return recording() ? spread(s, x.shape()) * x : x * s.item(); }

}  // namespace

Tensor sum(const Tensor& x) {
  const Tensor y = total(x.size(), [in = x.data()](int64_t i) { return in[i]; });
  return record(y, {x.without_values()}, [shape = x.shape()](const Tensor& g) { return Grads{spread(g, shape)}; });
}

Tensor dot(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "dot: shapes must agree, got {} and {}", a.shape(), b.shape());
  const real *pa = a.data(), *pb = b.data();
  const Tensor y = total(a.size(), [=](int64_t i) { return pa[i] * pb[i]; });
  return record(y, {a, b}, [a, b](const Tensor& g) {
    return Grads{a.tracked() ? scaled(g, b) : Tensor(), b.tracked() ? scaled(g, a) : Tensor()};
  });
}

Tensor squared_distance(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "squared_distance: shapes must agree, got {} and {}", a.shape(), b.shape());
  const Tensor y =
      total(a.size(), [pa = a.data(), pb = b.data()](int64_t i) { return (pa[i] - pb[i]) * (pa[i] - pb[i]); });
  return record(y, {a, b}, [a, b](const Tensor& g) {
    const Tensor da = recording() ? spread(2 * g, a.shape()) * (a - b)
                                  : map(a, b, [k = 2 * g.item()](real x, real y) { return k * (x - y); });
    return Grads{da, b.tracked() ? -da : Tensor()};
  });
}

Tensor mean(const Tensor& x) {
  check(x.size() > 0, "mean: x must have values, its shape is {}", x.shape());
  return sum(x) / static_cast<real>(x.size());
}

Tensor mean_rows(const Tensor& x) {
  check(x.rows() > 0, "mean_rows: x must have rows, its shape is {}", x.shape());
  return sum_rows(x) / static_cast<real>(x.rows());
}

Tensor mean_channels(const Tensor& x) {
  check(x.channels() > 0, "mean_channels: x must have channels, its shape is {}", x.shape());
  return sum_channels(x) / static_cast<real>(x.channels());
}

Tensor spread(const Tensor& s, const Shape& shape) {
  return record(Tensor::full(shape, s.item()), {s.without_values()},
                [to = s.shape()](const Tensor& g) { return Grads{reshape(sum(g), to)}; });
}

Tensor sum_rows(const Tensor& x) {
  const Tensor y = sums_over_rows(x.rows(), x.channels(), [in = x.data()](int64_t i) { return in[i]; });
  return record(y, {x.without_values()}, [shape = x.shape()](const Tensor& g) { return Grads{spread_rows(g, shape)}; });
}

Tensor gate_and_sum_rows(const Tensor& g, const Tensor& y, Tensor& gated) {
  check(g.shape() == y.shape() && g.shape() == gated.shape(), "gate_and_sum_rows: shapes must agree, got {}, {} and {}",
        g.shape(), y.shape(), gated.shape());
  return sums_over_rows(g.rows(), g.channels(), [in = g.data(), at = y.data(), out = gated.mutable_data()](int64_t i) {
    return out[i] = gate(in[i], at[i]);
  });
}

Tensor spread_rows(const Tensor& v, const Shape& shape) {
  check(v.shape() == Shape{shape.channels()}, "spread_rows: {} needs one value a channel, shape ({}), got {}", shape,
        shape.channels(), v.shape());
  Tensor y = Tensor::empty(shape);
  const int64_t channels = shape.channels();
  const real* in = v.data();
  real* out = y.mutable_data();
  parallel_blocks(y.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(in, channels, out + r * channels);
  });
  return record(y, {v.without_values()}, [](const Tensor& g) { return Grads{sum_rows(g)}; });
}

Tensor sum_channels(const Tensor& x) {
  check(x.shape().rank() >= 1, "sum_channels: needs at least one axis, got {}", x.shape());
  Tensor y = Tensor::empty(x.shape().without_last());
  const int64_t channels = x.channels();
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_blocks(x.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    constexpr int64_t part = 64;  // added in `real`, and the parts in double
    for (int64_t r = begin; r < end; ++r) {
      double s = 0;
      for (int64_t c = 0; c < channels; c += part) {
        const real* values = in + r * channels + c;
        const int64_t n = std::min(part, channels - c);
        real p = 0;
#pragma omp simd reduction(+ : p)
        for (int64_t i = 0; i < n; ++i) p += values[i];
        s += p;
      }
      out[r] = static_cast<real>(s);
    }
  });
  return record(y, {x.without_values()},
                [shape = x.shape()](const Tensor& g) { return Grads{spread_channels(g, shape)}; });
}

Tensor spread_channels(const Tensor& v, const Shape& shape) {
  check(shape.rank() >= 1 && v.shape() == shape.without_last(),
        "spread_channels: {} needs one value a row, shape {}, got {}", shape, shape.without_last(), v.shape());
  Tensor y = Tensor::empty(shape);
  const int64_t channels = shape.channels();
  const real* in = v.data();
  real* out = y.mutable_data();
  parallel_blocks(y.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::fill_n(out + r * channels, channels, in[r]);
  });
  return record(y, {v.without_values()}, [](const Tensor& g) { return Grads{sum_channels(g)}; });
}

Tensor sum_positions(const Tensor& x) {
  check(x.shape().rank() >= 2, "sum_positions: needs an axis of examples and one of channels, got {}", x.shape());
  const int64_t examples = x.dim(0), channels = x.channels(), size = examples ? x.size() / examples : 0;
  Tensor y = Tensor::empty({examples, channels});
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_blocks(examples, row_block(size), [=](int64_t begin, int64_t end) {
    Runs runs(channels);
    std::vector<double> s(static_cast<size_t>(channels));
    for (int64_t n = begin; n < end; ++n) {
      std::fill(s.begin(), s.end(), 0.0);
      runs.add(n * size, (n + 1) * size, s.data(), [in](int64_t i, int64_t, real& p) { p += in[i]; });
      for (int64_t c = 0; c < channels; ++c) out[n * channels + c] = static_cast<real>(s[static_cast<size_t>(c)]);
    }
  });
  return record(y, {x.without_values()},
                [shape = x.shape()](const Tensor& g) { return Grads{spread_positions(g, shape)}; });
}

Tensor spread_positions(const Tensor& v, const Shape& shape) {
  check(shape.rank() >= 2 && v.shape() == Shape{shape[0], shape.channels()},
        "spread_positions: {} needs one value per example and channel, got {}", shape, v.shape());
  Tensor y = Tensor::empty(shape);
  const int64_t examples = shape[0], channels = shape.channels(), positions = examples ? y.rows() / examples : 0;
  const real* in = v.data();
  real* out = y.mutable_data();
  parallel_blocks(y.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(in + r / positions * channels, channels, out + r * channels);
  });
  return record(y, {v.without_values()}, [](const Tensor& g) { return Grads{sum_positions(g)}; });
}

}  // namespace evenkeel
