#include "core/kernels/normalize.h"

#include <algorithm>

#include "core/base/parallel.h"
#include "core/kernels/simd.h"

namespace evenkeel {

// Two passes over each run: its mean, rounded to `real`; then the deviations from it, whose mean corrects the rounding.
// Runs are merged in order.
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

// to[i] = f(i, lane) over the elements [begin, end). `streamed`: computes `width` elements at a time in the L1 cache,
// and writes them with non-temporal stores. `inputs`: tensors of which f reads element i.
template <class F, class... Inputs>
void write_elements(int64_t width, bool streamed, int64_t begin, int64_t end, real* to, F f, Inputs... inputs) {
  if (!streamed) {
    for_elements(begin, end, width, [=](int64_t i, int64_t j) { to[i] = f(i, j); });
    return;
  }
  Lanes run(width);
  real* const next = run.data();
  for (int64_t i = begin; i < end; i += width) {
    const int64_t n = std::min(width, end - i);
    (prefetch_later(inputs + i, n), ...);
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) next[j] = f(i + j, j);
    for (int64_t j = 0; j < n; j += lanes) stream(to + i + j, vec(next + j));
  }
  stream_end();
}

}  // namespace

void normalize_rows(const Affine& a, const real* x, const real* add, After after, bool streamed, real* y, int64_t begin,
                    int64_t end) {
  const real *centre = a.centre.data(), *scale = a.scale.data(), *shift = a.shift.data();
  const auto write = [&](auto activation) {
    if (add) {
      write_elements(
          a.centre.width(), streamed, begin, end, y,
          [=](int64_t i, int64_t j) { return activation((x[i] - centre[j]) * scale[j] + shift[j] + add[i]); }, x, add);
    } else {
      write_elements(
          a.centre.width(), streamed, begin, end, y,
          [=](int64_t i, int64_t j) { return activation((x[i] - centre[j]) * scale[j] + shift[j]); }, x);
    }
  };
  switch (after) {
    case After::nothing:
      return write([](real v) { return v; });
    case After::relu:
      return write([](real v) { return relu(v); });
    case After::gelu:
      return write([](real v) { return gelu(v); });
  }
}

GradientSums gradient_sums(const Affine& a, const real* x, const real* g, const Pull& pull, int64_t begin,
                           int64_t end) {
  Runs runs(a.channels);
  GradientSums sums(a.channels);
  const real *centre = a.centre.data(), *scale = a.scale.data(), *shift = a.shift.data();
  const real *more = pull.add, *y = pull.y;
  real* const to = pull.to;
  auto add = [&](auto pulled, auto... more_inputs) {
    runs.add(
        begin, end, sums.g.data(), sums.gx.data(),
        [=](int64_t i, int64_t j, real& p, real& q) {
          const real d = x[i] - centre[j], gi = pulled(i, j, d);
          p += gi;
          q += gi * d;
        },
        x, g, more_inputs...);
  };
  if (pull.after == After::nothing)
    add([=](int64_t i, int64_t, real) { return g[i]; });
  else if (pull.after == After::relu && y)
    add([=](int64_t i, int64_t, real) { return to[i] = gate(g[i], y[i]); }, y);
  else if (pull.after == After::relu)
    add([=](int64_t i, int64_t j, real d) { return gate(g[i], d * scale[j] + shift[j]); });
  else if (more)
    add([=](int64_t i, int64_t j, real d) {
      return to[i] = g[i] * gelu_slope(real(d * scale[j] + shift[j] + more[i]));
    });
  else
    add([=](int64_t i, int64_t j, real d) { return to[i] = g[i] * gelu_slope(real(d * scale[j] + shift[j])); });
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
      write_elements(a.centre.width(), streamed, begin, end, dx,
                     [=](int64_t i, int64_t j) { return pulled(i, j, x[i] - centre[j]) * scale[j]; });
    } else {
      write_elements(
          a.centre.width(), streamed, begin, end, dx,
          [=](int64_t i, int64_t j) {
            const real d = x[i] - centre[j];
            return pulled(i, j, d) * scale[j] + d * slope[j] + offset[j];
          },
          x, g);
    }
  };
  if (relu)
    write([=](int64_t i, int64_t j, real d) { return gate(g[i], d * scale[j] + shift[j]); });
  else
    write([=](int64_t i, int64_t, real) { return g[i]; });
}

void normalize_batch(const Affine& a, int64_t rows, const real* x, const real* add, After after, real* y) {
  const bool streamed = worth_streaming(rows * a.channels, a.channels);
  parallel_blocks(rows, row_block(a.channels), [&](int64_t begin, int64_t end) {
    normalize_rows(a, x, add, after, streamed, y, begin * a.channels, end * a.channels);
  });
}

GradientSums batch_gradient_sums(const Affine& a, int64_t rows, const real* x, const real* g, const Pull& pull) {
  const int64_t block = row_block(a.channels);
  std::vector<GradientSums> parts(static_cast<size_t>((rows + block - 1) / block), GradientSums(0));
  parallel_blocks(rows, block, [&](int64_t begin, int64_t end) {
    parts[begin / block] = gradient_sums(a, x, g, pull, begin * a.channels, end * a.channels);
  });
  GradientSums sums = std::move(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) sums += parts[i];
  return sums;
}

void normalize_batch_backward(const NormGradient& gradient, int64_t rows, const real* x, const real* g, bool relu,
                              real* dx) {
  const int64_t channels = gradient.affine.channels;
  const bool streamed = dx != g && worth_streaming(rows * channels, channels);
  parallel_blocks(rows, row_block(channels), [&](int64_t begin, int64_t end) {
    normalize_rows_backward(gradient, x, g, relu, streamed, dx, begin * channels, end * channels);
  });
}

}  // namespace evenkeel
