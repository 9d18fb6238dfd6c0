// Every loop runs over windows and, in them, over cells; the innermost one over channels, which are contiguous.
#include "core/kernels/pool.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "core/base/parallel.h"
#include "core/kernels/max_cell.h"

namespace evenkeel {
namespace {

// Calls window(offset in the result, number of cells, cells) for each window of one row of the result. cells(f) calls
// f(index, offset in x) for each cell outside the padding. The first one has index 0; a column adds 1, a row `size`.
template <class Window>
void for_windows(PoolSizes a, int64_t row, Window window) {
  const int64_t n = row / a.p, top = row % a.p * a.stride - a.padding;
  const int64_t r0 = std::max<int64_t>(0, -top), r1 = std::min(a.size, a.h - top);
  for (int64_t q = 0; q < a.q; ++q) {
    const int64_t left = q * a.stride - a.padding, s0 = std::max<int64_t>(0, -left), s1 = std::min(a.size, a.w - left);
    const int64_t rows = r1 - r0, columns = s1 - s0, down = a.w * a.c;
    const int64_t first = ((n * a.h + top + r0) * a.w + left + s0) * a.c;
    window((row * a.q + q) * a.c, rows * columns, [=, size = a.size, c = a.c](auto cell) {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < columns; ++s) cell(r * size + s, first + r * down + s * c);
    });
  }
}

// A Vec in memory; where fewer than `lanes` channels are left, only n of its elements exist.
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

}  // namespace

bool max_cells(const PoolSizes& a, const real* in, uint8_t* winners, real* out) {
  std::atomic<bool> nan = false;  // whether any maximum is NaN
  parallel_for(a.n * a.p, [&](int64_t row) {
    Cells nans{};
    for_windows(a, row, [&](int64_t to, int64_t, auto cells) {
      for (int64_t c = 0; c < a.c; c += lanes) {
        MaxCell most;
        cells([&](int64_t cell, int64_t from) { most.see(load<Vec>(in + from + c, a.c - c), cell); });
        nans |= most.is_nan();
        store(most.best, out + to + c, a.c - c);
        store(most.bytes(), &winners[to + c], a.c - c);
      }
    });
    if (any(nans)) nan.store(true, std::memory_order_relaxed);
  });
  return nan;
}

void pick_cells(const PoolSizes& a, const real* in, const uint8_t* winners, real* out) {
  parallel_for(a.n * a.p, [&](int64_t row) {
    for_windows(a, row, [&](int64_t to, int64_t, auto cells) {
      cells([&](int64_t cell, int64_t from) {
        for (int64_t c = 0; c < a.c; ++c)
          if (winners[to + c] == cell) out[to + c] = in[from + c];
      });
    });
  });
}

void unpick_cells(const PoolSizes& a, const real* in, const uint8_t* winners, real* out) {
  const int64_t image = a.h * a.w * a.c;
  // Overlapping windows add to zeros. Windows side by side from the corner on write each of their cells once.
  const bool add = a.stride < a.size;
  const bool side_by_side = a.padding == 0 && a.stride == a.size;
  const bool streamed = side_by_side && worth_streaming(a.n * image, a.c);
  const int64_t covered = a.p * a.stride, along = a.q * a.stride * a.c;
  parallel_for(a.n, [&](int64_t n) {
    real* const to_image = out + n * image;
    for (int64_t i = 0; side_by_side && i < covered; ++i)
      std::fill(to_image + i * a.w * a.c + along, to_image + (i + 1) * a.w * a.c, real(0));
    std::fill(to_image + (side_by_side ? covered * a.w * a.c : 0), to_image + image, real(0));
    for (int64_t row = n * a.p; row < (n + 1) * a.p; ++row)
      for_windows(a, row, [&](int64_t from, int64_t, auto cells) {
        for (int64_t c = 0; c < a.c; c += lanes) {
          const Vec value = load<Vec>(in + from + c, a.c - c);
          const Cells winner = __builtin_convertvector(load<CellBytes>(&winners[from + c], a.c - c), Cells);
          cells([&](int64_t cell, int64_t to) {
            Vec d = winner == static_cast<std::remove_cvref_t<decltype(winner[0])>>(cell) ? value : Vec{};
            if (streamed) return stream(out + to + c, d);
            if (add) d += load<Vec>(out + to + c, a.c - c);
            store(d, out + to + c, a.c - c);
          });
        }
      });
    if (streamed) stream_end();
  });
}

void average_cells(const PoolSizes& a, const real* in, real* out) {
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
}

void spread_cells(const PoolSizes& a, const real* in, real* out) {
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
}

}  // namespace evenkeel
