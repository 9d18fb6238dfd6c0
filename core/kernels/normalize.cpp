#include "core/kernels/normalize.h"

#include <algorithm>
#include <limits>

#include "core/base/parallel.h"
#include "core/kernels/simd.h"

namespace evenkeel {

// Each run in two passes: its mean, rounded, and then what differs from it. Runs are merged in order.
Moments moments_of_rows(const real* x, int64_t rows, int64_t channels) {
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

namespace {

// max(v, floor), where NaN stays NaN, and scalar.h's gate: of numbers and of Vecs.
inline real at_least(real v, real floor) { return v < floor ? floor : v; }
inline Vec at_least(Vec v, real floor) { return v < Vec{} + floor ? Vec{} + floor : v; }
inline Vec gate(Vec g, Vec y) { return y > Vec{} ? g : at_least(y, 0); }
using evenkeel::gate;

// to[i] = f(load, i, lane) over the elements [begin, end). load(p) reads a number at p, or a Vec when the result is
// written by non-temporal stores.
template <class F>
void write_elements(int64_t channels, int64_t width, bool streamed, int64_t begin, int64_t end, real* to, F f) {
  if (!streamed) {
    for_elements(begin, end, width, [=](int64_t i, int64_t j) { to[i] = f([](const real* p) { return *p; }, i, j); });
    return;
  }
  for (int64_t i = begin; i < end; i += channels)
    for (int64_t j = 0; j < channels; j += lanes)
      stream(to + i + j, f([](const real* p) { return Vec(vec(p)); }, i + j, j));
  stream_end();
}

}  // namespace

void normalize_rows(const Affine& a, const real* x, const real* add, bool relu, bool streamed, real* y, int64_t begin,
                    int64_t end) {
  const real *centre = a.centre.data(), *scale = a.scale.data(), *shift = a.shift.data();
  const real floor = relu ? 0 : -std::numeric_limits<real>::infinity();
  const int64_t channels = a.channels, width = a.centre.width();
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

GradientSums gradient_sums(const Affine& a, const real* x, const real* g, bool relu, const real* y, real* masked,
                           int64_t begin, int64_t end) {
  Runs runs(a.channels);
  GradientSums sums(a.channels);
  const real *centre = a.centre.data(), *scale = a.scale.data(), *shift = a.shift.data();
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
  for (size_t group = 0, c = 0; group < a.rstd.size(); ++group)
    for (int64_t k = 0; k < a.each; ++k, ++c) sums.gx[c] = a.rstd[group] * (sums.gx[c] - a.below[group] * sums.g[c]);
  return sums;
}

void normalize_rows_backward(const NormGradient& gradient, const real* x, const real* g, bool relu, bool streamed,
                             real* dx, int64_t begin, int64_t end) {
  const Affine& a = gradient.affine;
  const real *centre = a.centre.data(), *scale = a.scale.data(), *shift = a.shift.data();
  const real *slope = gradient.slope.data(), *offset = gradient.offset.data();
  auto write = [&](auto pulled) {
    if (gradient.constant_statistics) {
      write_elements(a.channels, a.centre.width(), streamed, begin, end, dx, [=](auto at, int64_t i, int64_t j) {
        return pulled(at, i, j, at(x + i) - at(centre + j)) * at(scale + j);
      });
    } else {
      write_elements(a.channels, a.centre.width(), streamed, begin, end, dx, [=](auto at, int64_t i, int64_t j) {
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

void normalize_batch(const Affine& a, int64_t rows, const real* x, const real* add, bool relu, real* y) {
  const bool streamed = worth_streaming(rows * a.channels, a.channels);
  parallel_blocks(rows, row_block(a.channels), [&](int64_t begin, int64_t end) {
    normalize_rows(a, x, add, relu, streamed, y, begin * a.channels, end * a.channels);
  });
}

GradientSums batch_gradient_sums(const Affine& a, int64_t rows, const real* x, const real* g, bool relu, const real* y,
                                 real* masked) {
  const int64_t block = row_block(a.channels);
  std::vector<GradientSums> parts(static_cast<size_t>((rows + block - 1) / block), GradientSums(0));
  parallel_blocks(rows, block, [&](int64_t begin, int64_t end) {
    parts[begin / block] = gradient_sums(a, x, g, relu, y, masked, begin * a.channels, end * a.channels);
  });
  GradientSums sums = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) sums += parts[i];
  return sums;
}

void normalize_batch_backward(const NormGradient& gradient, int64_t rows, const real* x, const real* g, bool relu,
                              real* dx) {
  const int64_t channels = gradient.affine.channels;
  const bool streamed = worth_streaming(rows * channels, channels);
  parallel_blocks(rows, row_block(channels), [&](int64_t begin, int64_t end) {
    normalize_rows_backward(gradient, x, g, relu, streamed, dx, begin * channels, end * channels);
  });
}

}  // namespace evenkeel
