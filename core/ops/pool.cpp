// Pooling: every loop runs over windows and, in them, over cells; the innermost one along channels, which are neighbours in memory.
#include "core/ops/pool.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/ops/elementwise.h"
#include "core/base/memory.h"
#include "core/ops/reduce.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

// Windows of `height` x `width` on an image.
struct Windows {
  int64_t n, h, w, c;
  int64_t height, width, stride, padding;
  int64_t p, q;
  Shape image() const { return {n, h, w, c}; }
  Shape result() const { return {n, p, q, c}; }
};

Windows windows(const char* op, const Shape& x, int64_t height, int64_t width, int64_t stride, int64_t padding) {
  check(x.rank() == 4, "{}: needs (N, H, W, C), got {}", op, x);
  check(x[1] >= 1 && x[2] >= 1, "{}: an image must have a height and a width, got {}", op, x);
  check(height >= 1 && width >= 1 && stride >= 1 && padding >= 0 && padding <= std::min(height, width) / 2,
        "{}: size and stride must be at least 1, padding at most half the size; got {} x {}, {} and {}", op, height, width, stride,
        padding);
  check(x[1] + 2 * padding >= height && x[2] + 2 * padding >= width,
        "{}: the window of {} x {} must fit into the padded image; x is {}, padding {}", op, height, width, x, padding);
  const int64_t p = (x[1] + 2 * padding - height) / stride + 1, q = (x[2] + 2 * padding - width) / stride + 1;
  return {x[0], x[1], x[2], x[3], height, width, stride, padding, p, q};
}

Windows windows(const char* op, const Shape& x, const PoolOptions& o) {
  return windows(op, x, o.size, o.size, o.stride == 0 ? o.size : o.stride, o.padding);
}

// Calls f(offset of the window in the result, cell(number of the cell in its window, offset of the cell in x)...) for the windows
// of one row of the result; cells in the padding are left out.
template <class Window>
void for_windows(const Windows& a, int64_t row, Window window) {
  const int64_t n = row / a.p, top = row % a.p * a.stride - a.padding;
  const int64_t r0 = std::max<int64_t>(0, -top), r1 = std::min(a.height, a.h - top);
  for (int64_t q = 0; q < a.q; ++q) {
    const int64_t left = q * a.stride - a.padding, s0 = std::max<int64_t>(0, -left), s1 = std::min(a.width, a.w - left);
    window((row * a.q + q) * a.c, (r1 - r0) * (s1 - s0), [&](auto cell) {
      for (int64_t r = r0; r < r1; ++r)
        for (int64_t s = s0; s < s1; ++s) cell(r * a.width + s, ((n * a.h + top + r) * a.w + left + s) * a.c);
    });
  }
}

// Which cell of its window every maximum came from: one byte each.
using Winners = std::shared_ptr<const uint8_t[]>;

std::shared_ptr<uint8_t[]> allocate_bytes(int64_t n) {
  const size_t bytes = static_cast<size_t>(n);
  return {static_cast<uint8_t*>(allocate(bytes)), [bytes](uint8_t* block) { release(block, bytes); }};
}

// A Vec of channels with what was or is to be found in them, and how it lies in memory where fewer channels are left.
using Cells [[gnu::vector_size(vec_bytes)]] = std::conditional_t<sizeof(real) == 4, int32_t, int64_t>;
using Bytes [[gnu::vector_size(lanes), gnu::aligned(1), gnu::may_alias]] = uint8_t;
template <class V, class T>
V load(const T* p, int64_t n) {
  V v{};
  n >= lanes ? std::memcpy(&v, p, sizeof v) : std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(T));
  return v;
}
template <class V, class T>
void store(V v, T* p, int64_t n) {
  n >= lanes ? std::memcpy(p, &v, sizeof v) : std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(T));
}

// y[window] = x[the window's winner], and its adjoint; both linear, so each is the other's derivative.
Tensor pick(const Tensor& x, const Windows& a, const Winners& winners);
Tensor unpick(const Tensor& g, const Windows& a, const Winners& winners);

Tensor pick(const Tensor& x, const Windows& a, const Winners& winners) {
  Tensor y = Tensor::empty(a.result());
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_for(a.n * a.p, [&](int64_t row) {
    for_windows(a, row, [&](int64_t to, int64_t, auto cells) {
      cells([&](int64_t cell, int64_t from) {
        for (int64_t c = 0; c < a.c; ++c)
          if (winners[to + c] == cell) out[to + c] = in[from + c];
      });
    });
  });
  return record(y, {x}, [=](const Tensor&, const Tensor& g) { return Grads{unpick(g, a, winners)}; });
}

Tensor unpick(const Tensor& g, const Windows& a, const Winners& winners) {
  Tensor dx = Tensor::empty(a.image());
  const real* in = g.data();
  real* out = dx.mutable_data();
  const int64_t image = a.h * a.w * a.c;
  // Windows that overlap add to zeros. Those that do not write every cell of the image once where they leave no gap and no rest.
  const bool add = a.stride < std::max(a.height, a.width);
  const bool tiled = !add && a.padding == 0 && a.p * a.height == a.h && a.q * a.width == a.w;
  parallel_for(a.n, [&](int64_t n) {
    if (!tiled) std::fill_n(out + n * image, image, real(0));
    for (int64_t row = n * a.p; row < (n + 1) * a.p; ++row)
      for_windows(a, row, [&](int64_t from, int64_t, auto cells) {
        for (int64_t c = 0; c < a.c; c += lanes) {
          const Vec value = load<Vec>(in + from + c, a.c - c);
          const Cells winner = __builtin_convertvector(load<Bytes>(&winners[from + c], a.c - c), Cells);
          cells([&](int64_t cell, int64_t to) {
            Vec d = winner == static_cast<std::remove_cvref_t<decltype(winner[0])>>(cell) ? value : Vec{};
            if (add) d += load<Vec>(out + to + c, a.c - c);
            store(d, out + to + c, a.c - c);
          });
        }
      });
  });
  return record(dx, {g}, [=](const Tensor&, const Tensor& h) { return Grads{pick(h, a, winners)}; });
}

// y[window] = mean of the cells inside the image, and its adjoint.
Tensor average(const Tensor& x, const Windows& a);
Tensor spread_average(const Tensor& g, const Windows& a);

Tensor average(const Tensor& x, const Windows& a) {
  Tensor y = Tensor::empty(a.result());
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_for(a.n * a.p, [&](int64_t row) {
    for_windows(a, row, [&](int64_t to, int64_t count, auto cells) {
      std::fill_n(out + to, a.c, real(0));
      cells([&](int64_t, int64_t from) {
#pragma omp simd
        for (int64_t c = 0; c < a.c; ++c) out[to + c] += in[from + c];
      });
      const real weight = real(1) / static_cast<real>(count);
      for (int64_t c = 0; c < a.c; ++c) out[to + c] *= weight;
    });
  });
  return record(y, {x}, [=](const Tensor&, const Tensor& g) { return Grads{spread_average(g, a)}; });
}

Tensor spread_average(const Tensor& g, const Windows& a) {
  Tensor dx = Tensor::empty(a.image());
  const real* in = g.data();
  real* out = dx.mutable_data();
  const int64_t image = a.h * a.w * a.c;
  parallel_for(a.n, [&](int64_t n) {
    std::fill_n(out + n * image, image, real(0));
    for (int64_t row = n * a.p; row < (n + 1) * a.p; ++row)
      for_windows(a, row, [&](int64_t from, int64_t count, auto cells) {
        const real weight = real(1) / static_cast<real>(count);
        cells([&](int64_t, int64_t to) {
#pragma omp simd
          for (int64_t c = 0; c < a.c; ++c) out[to + c] += in[from + c] * weight;
        });
      });
  });
  return record(dx, {g}, [=](const Tensor&, const Tensor& h) { return Grads{average(h, a)}; });
}

}  // namespace

Tensor max_pool(const Tensor& x, const PoolOptions& options) {
  const Windows a = windows("max_pool", x.shape(), options);
  check(a.height * a.width <= 256, "max_pool: a window has at most 256 cells, got {} x {}", a.height, a.width);
  Tensor y = Tensor::empty(a.result());
  const std::shared_ptr<uint8_t[]> winners = allocate_bytes(y.size());
  const real* in = x.data();
  real* out = y.mutable_data();
  std::atomic<bool> nan = false;  // whether any maximum is one
  parallel_for(a.n * a.p, [&](int64_t row) {
    Cells nans{};
    for_windows(a, row, [&](int64_t to, int64_t, auto cells) {
      for (int64_t c = 0; c < a.c; c += lanes) {
        Vec best = Vec{} - std::numeric_limits<real>::infinity();
        Cells winner = Cells{} - 1;  // none yet, so that a first cell of -infinity wins
        cells([&](int64_t cell, int64_t from) {
          const Vec v = load<Vec>(in + from + c, a.c - c);
          const Cells wins = (v > best) | (v != v) | (winner < 0);  // NaN wins, and stays
          best = wins ? v : best;
          winner = wins ? Cells{} + static_cast<std::remove_cvref_t<decltype(winner[0])>>(cell) : winner;
        });
        nans |= best != best;
        store(best, out + to + c, a.c - c);
        store(__builtin_convertvector(winner, Bytes), &winners[to + c], a.c - c);
      }
    });
    for (int i = 0; i < lanes; ++i)
      if (nans[i]) nan.store(true, std::memory_order_relaxed);
  });
  return record(y, {x}, [a, winners = Winners(winners), nan = nan.load()](const Tensor& out, const Tensor& g) {
    const Tensor dx = unpick(g, a, winners);
    // Where the maximum is NaN, so is its derivative in every cell of the window.
    return Grads{nan ? dx + spread_average(real(0) * step(out.detach()), a) : dx};
  });
}

Tensor avg_pool(const Tensor& x, const PoolOptions& options) { return average(x, windows("avg_pool", x.shape(), options)); }

Shape pool_shape(const char* op, const Shape& x, const PoolOptions& options) { return windows(op, x, options).result(); }

Tensor global_avg_pool(const Tensor& x) {
  check(x.shape().rank() == 4, "global_avg_pool: needs (N, H, W, C), got {}", x.shape());
  const Windows whole = windows("global_avg_pool", x.shape(), x.dim(1), x.dim(2), 1, 0);
  return reshape(average(x, whole), {x.dim(0), x.dim(3)});
}

namespace {

// to (rows x columns, `to_step` apart) = from.
void copy_matrix(int64_t rows, int64_t columns, const real* from, int64_t from_step, real* to, int64_t to_step) {
  parallel_blocks(rows, std::max<int64_t>(1, elementwise_block / std::max<int64_t>(1, columns)), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(from + r * from_step, columns, to + r * to_step);
  });
}

void check_border(const char* op, const Shape& x, const Border& b) {
  check(x.rank() == 4 && std::min({b.top, b.bottom, b.left, b.right}) >= 0,
        "{}: needs (N, H, W, C) and a border of at least 0, got {} and {}, {}, {}, {}", op, x, b.top, b.bottom, b.left, b.right);
}

}  // namespace

Tensor pad(const Tensor& x, const Border& b) {
  check_border("pad", x.shape(), b);
  const int64_t n = x.dim(0), h = x.dim(1), wc = x.dim(2) * x.dim(3), c = x.dim(3);
  const int64_t height = h + b.top + b.bottom, step = wc + (b.left + b.right) * c;
  Tensor y = Tensor::zeros({n, height, x.dim(2) + b.left + b.right, c});
  const real* in = x.data();
  real* out = y.mutable_data() + b.top * step + b.left * c;
  parallel_for(n, [=](int64_t i) { copy_matrix(h, wc, in + i * h * wc, wc, out + i * height * step, step); });
  return record(y, {x}, [=](const Tensor&, const Tensor& g) { return Grads{crop(g, b)}; });
}

Tensor crop(const Tensor& x, const Border& b) {
  check_border("crop", x.shape(), b);
  const int64_t n = x.dim(0), h = x.dim(1) - b.top - b.bottom, w = x.dim(2) - b.left - b.right, c = x.dim(3), step = x.dim(2) * c;
  check(h >= 0 && w >= 0, "crop: the border must fit into the image, got {}, {}, {}, {} of {}", b.top, b.bottom, b.left, b.right,
        x.shape());
  Tensor y = Tensor::empty({n, h, w, c});
  const real* in = x.data() + b.top * step + b.left * c;
  real* out = y.mutable_data();
  parallel_for(
      n, [=, height = x.dim(1)](int64_t i) { copy_matrix(h, w * c, in + i * height * step, step, out + i * h * w * c, w * c); });
  return record(y, {x}, [=](const Tensor&, const Tensor& g) { return Grads{pad(g, b)}; });
}

Tensor concat_channels(const std::vector<Tensor>& parts) {
  check(!parts.empty(), "concat_channels: needs at least one tensor");
  Shape shape = parts[0].shape();
  check(shape.rank() >= 1, "concat_channels: needs channels, got {}", shape);
  for (size_t i = 1; i < parts.size(); ++i) {
    check(parts[i].shape().rank() >= 1 && parts[i].shape().without_last() == shape.without_last(),
          "concat_channels: all axes but the last must agree, got {} and {}", parts[0].shape(), parts[i].shape());
    shape = shape.with_channels(shape.channels() + parts[i].channels());
  }
  Tensor y = Tensor::empty(shape);
  std::vector<int64_t> begin{0};
  for (const Tensor& t : parts) {
    copy_matrix(t.rows(), t.channels(), t.data(), t.channels(), y.mutable_data() + begin.back(), y.channels());
    begin.push_back(begin.back() + t.channels());
  }
  return record(y, parts, [parts, begin](const Tensor&, const Tensor& g) {
    Grads d(parts.size());
    for (size_t i = 0; i < d.size(); ++i)
      if (parts[i].tracked()) d[i] = slice_channels(g, begin[i], begin[i + 1]);
    return d;
  });
}

Tensor slice_channels(const Tensor& x, int64_t begin, int64_t end) {
  check(x.shape().rank() >= 1 && 0 <= begin && begin <= end && end <= x.channels(),
        "slice_channels: [{}, {}) must lie in the channels of {}", begin, end, x.shape());
  Tensor y = Tensor::empty(x.shape().with_channels(end - begin));
  copy_matrix(x.rows(), end - begin, x.data() + begin, x.channels(), y.mutable_data(), end - begin);
  return record(y, {x}, [begin, channels = x.channels()](const Tensor&, const Tensor& g) {
    return Grads{embed_channels(g, begin, channels)};
  });
}

Tensor embed_channels(const Tensor& x, int64_t begin, int64_t channels) {
  check(x.shape().rank() >= 1 && 0 <= begin && begin + x.channels() <= channels,
        "embed_channels: {} from channel {} on must fit into {} channels", x.shape(), begin, channels);
  Tensor y = Tensor::zeros(x.shape().with_channels(channels));
  copy_matrix(x.rows(), x.channels(), x.data(), x.channels(), y.mutable_data() + begin, channels);
  return record(
      y, {x}, [begin, end = begin + x.channels()](const Tensor&, const Tensor& g) { return Grads{slice_channels(g, begin, end)}; });
}

}  // namespace evenkeel
