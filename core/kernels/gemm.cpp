// The inner loop keeps a tile of C in registers, and for every k adds the outer product of a column of A (scalars) and
// a row of B (vectors) (Goto and van de Geijn 2008). B is read in panels as wide as the tile, which stay in the L1
// cache, and is packed where that pays; A is read in place. The OpenBLAS of Linux distributions has such loops too, but
// not for AVX-512 on processors newer than its release. It packs both matrices, which costs up to a tenth of the time
// at the sizes of small networks.
#include "core/kernels/gemm.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/bf16.h"
#include "core/kernels/blas.h"
#include "core/kernels/gemm_tile.h"

namespace evenkeel {
namespace {

using namespace gemm_tiles;

bool own = true;  // false: OpenBLAS computes products

// to (k x panel) = the first `width` columns of op(B), then zeros.
void copy_panel(bool tb, int64_t k, int64_t width, const real* b, int64_t ldb, real* to) {
  if (!tb && width == panel) {
    for (int64_t p = 0; p < k; ++p) copy_line(b + p * ldb, panel, to + p * panel);
    return;
  }
  for (int64_t p = 0; p < k; ++p) std::fill(to + p * panel + width / lanes * lanes, to + (p + 1) * panel, real(0));
  if (!tb) {
    for (int64_t p = 0; p < k; ++p) std::copy_n(b + p * ldb, width, to + p * panel);
    return;
  }
  const int64_t squares = k / lanes * lanes;
  int64_t j = 0;
  for (; j + lanes <= width; j += lanes)
    for (int64_t p = 0; p < squares; p += lanes) {
      Vec v[lanes];
      for (int i = 0; i < lanes; ++i) v[i] = vec(b + (j + i) * ldb + p);
      transpose(v);
      for (int i = 0; i < lanes; ++i) vec(to + (p + i) * panel + j) = v[i];
    }
  for (int64_t i = 0; i < width; ++i)
    for (int64_t p = i < j ? squares : 0; p < k; ++p) to[p * panel + i] = b[i * ldb + p];
}

// C (m x width, width <= V Vecs) = or += A (m x k) B (k x V Vecs).
template <int V, class A>
void multiply_columns(int64_t m, int64_t width, int64_t k, const A& a, const real* b, int64_t ldb, int64_t right,
                      real* c, int64_t ldc, bool add) {
  constexpr int most = most_rows<V, A>;
  const int64_t rest = m % most, done = m - rest;
  if (width == V * lanes) {
    tiles<V, A>[most - 1](m / most, k, a, b, ldb, right, c, ldc, add);
    if (rest)
      tiles<V, A>[static_cast<size_t>(rest - 1)](1, k, from(a, done, 0), b, ldb, right, c + done * ldc, ldc, add);
    return;
  }
  alignas(64) real corner[most * V * lanes];
  for (int64_t i = 0; i < m; i += most) {
    const int64_t count = std::min<int64_t>(most, m - i);
    tiles<V, A>[static_cast<size_t>(count - 1)](1, k, from(a, i, 0), b, ldb, right, corner, V * lanes, false);
    for (int64_t r = i; r < i + count; ++r)
      for (int64_t s = 0; s < width; ++s)
        c[r * ldc + s] = corner[(r - i) * V * lanes + s] + (add ? c[r * ldc + s] : real(0));
  }
}

// How many of the `left` remaining columns a product of m rows computes at once.
int64_t columns_together(int64_t m, int64_t left) {
  const bool wide = wide_vecs > 0 && m >= wide_from && left > (wide_vecs - 1) * lanes;
  return std::min<int64_t>(left, wide ? wide_vecs * lanes : panel);
}

// C (m x width) = or += A (m x k) B, where B is columns of one panel, or of two panels `right` numbers apart.
template <class A>
void multiply_panel(int64_t m, int64_t width, int64_t k, const A& a, const real* b, int64_t ldb, int64_t right, real* c,
                    int64_t ldc, bool add) {
  if constexpr (wide_vecs > 0)
    if (width > panel) return multiply_columns<wide_vecs, A>(m, width, k, a, b, ldb, right, c, ldc, add);
  (width > lanes ? multiply_columns<tile_vecs, A> : multiply_columns<1, A>)(m, width, k, a, b, ldb, right, c, ldc, add);
}

// A product without an inner dimension.
void set_zero(int64_t m, int64_t n, real* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, real(0));
}

template <class A>
void own_gemm(const A& a, bool tb, int64_t m, int64_t n, int64_t k, const real* b, int64_t ldb, bool add, real* c,
              int64_t ldc) {
  alignas(64) static thread_local real copied[2 * depth * panel];
  for (int64_t p = 0; p < k; p += depth, add = true) {
    const int64_t length = std::min(depth, k - p);
    for (int64_t j = 0, width; j < n; j += width) {
      width = columns_together(m, n - j);
      const real* lines = tb ? b + j * ldb + p : b + p * ldb + j;
      int64_t step = ldb, right = panel;
      // Packing pays if many tiles use the copy, or if rows far apart would map to few sets of the cache.
      if (tb || width % lanes != 0 || (m > 4 * tile_rows && ldb > 2 * panel)) {
        copy_panel(tb, length, std::min<int64_t>(panel, width), lines, ldb, copied);
        right = length * panel;
        if (width > panel)
          copy_panel(tb, length, width - panel, lines + (tb ? panel * ldb : panel), ldb, copied + right);
        lines = copied;
        step = panel;
      }
      multiply_panel(m, width, length, from(a, 0, p), lines, step, right, c + j, ldc, add);
    }
  }
}

}  // namespace

void use_blas(bool on) {
  check(!on || blas_description(), "--blas: this build has no OpenBLAS; build evenkeel with -DEVENKEEL_BLAS=ON");
  own = !on;
}

void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b, int64_t ldb,
          bool add, real* c, int64_t ldc) {
  if (k == 0) {
    if (!add) set_zero(m, n, c, ldc);
    return;
  }
  if (own && ta) return own_gemm(ByColumns{a, lda}, tb, m, n, k, b, ldb, add, c, ldc);
  if (own) return own_gemm(ByRows{a, lda}, tb, m, n, k, b, ldb, add, c, ldc);
  blas_gemm(ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc);
}

bool uses_blas() { return !own; }

int64_t packed_size(int64_t n, int64_t k) { return own ? (n + panel - 1) / panel * panel * k : n * k; }

void pack(bool tb, int64_t n, int64_t k, const real* b, int64_t ldb, real* to) {
  const int64_t wide = own ? panel : n;
  for (int64_t j = 0; j < n; j += wide) {
    const real* from = b + j * (tb ? ldb : 1);
    if (own)
      copy_panel(tb, k, std::min(wide, n - j), from, ldb, to + j * k);
    else
      for (int64_t p = 0; p < k; ++p)
        for (int64_t i = 0; i < n; ++i) to[p * n + i] = from[tb ? i * ldb + p : p * ldb + i];
  }
}

namespace {
template <class A>
void own_gemm_packed(int64_t m, int64_t n, int64_t k, const A& a, const real* packed, bool add, real* c, int64_t begin,
                     int64_t end) {
  if (k == 0 && !add) set_zero(m, end - begin, c + begin, n);
  for (int64_t p = 0; p < k; p += depth)
    for (int64_t j = begin, width; j < end; j += width) {
      width = columns_together(m, end - j);
      multiply_panel(m, width, std::min(depth, k - p), from(a, 0, p), packed + j * k + p * panel, panel, panel * k,
                     c + j, n, add || p > 0);
    }
}
}  // namespace

void gemm_packed(int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* packed, real* c,
                 int64_t begin, int64_t end) {
  own ? own_gemm_packed(m, n, k, ByRows{a, lda}, packed, false, c, begin, end)
      : gemm(false, false, m, end - begin, k, a, lda, packed + begin, n, false, c + begin, n);
}

void gemm_packed(int64_t m, int64_t n, int64_t k, const Indexed& a, const real* packed, bool add, real* c,
                 int64_t begin, int64_t end) {
  if (own) return own_gemm_packed(m, n, k, a, packed, add, c, begin, end);
  const Scratch<real> copy(m * k);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t p = 0; p < k; ++p) copy.data[i * k + p] = a.a[a.rows[i] + a.columns[p]];
  gemm(false, false, m, end - begin, k, copy.data, k, packed + begin, n, add, c + begin, n);
}

void add_in_order(int64_t parts, int64_t n, const real* partial, real* out) {
  parallel_blocks(n, 1 << 13, [=](int64_t begin, int64_t end) {
    if (parts == 0) std::fill(out + begin, out + end, real(0));
    if (parts > 0) std::copy(partial + begin, partial + end, out + begin);
    for (int64_t i = 1; i < parts; ++i)
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) out[j] += partial[i * n + j];
  });
}

void gemm_blocked(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c,
                  const Finish* finish) {
  if (finish && !*finish) finish = nullptr;
  if constexpr (bf16_exists)
    if (thread_settings().bf16) return bf16_gemm(ta, tb, m, n, k, a, b, c, finish);
  const int64_t lda = ta ? m : k, ldb = tb ? k : n;
  // The block of C that starts at row i and column j.
  auto block_of = [&](int64_t i, int64_t rows, int64_t j, int64_t columns) {
    gemm(ta, tb, rows, columns, k, a + i * (ta ? 1 : k), lda, b + j * (tb ? k : 1), ldb, false, c + i * n + j, n);
    if (finish) (*finish)(c + i * n + j, rows, j, columns);
  };
  constexpr int64_t serial = int64_t{1} << 19;  // multiply-adds: below, waking a thread costs more than it saves
  if (m * n * k <= serial) return block_of(0, m, 0, n);

  // A long inner dimension and a small result: partial products, added in order.
  constexpr int64_t inner = 2048;
  if (k >= 2 * inner && m * n <= 512 * 1024) {
    const int64_t parts = (k + inner - 1) / inner;
    const Storage partial(parts * m * n);
    parallel_for(parts, [&](int64_t i) {
      const int64_t begin = i * inner, length = std::min(inner, k - begin);
      gemm(ta, tb, m, n, length, a + begin * (ta ? m : 1), lda, b + begin * (tb ? 1 : n), ldb, false,
           partial.data + i * m * n, n);
    });
    add_in_order(parts, m * n, partial.data, c);
    if (finish) (*finish)(c, m, 0, n);
    return;
  }
  // Blocks along the longer side of C, rows or columns: at least two, each with enough work. Blocks of rows share B, so
  // it is packed only once.
  const bool by_rows = m >= n;
  const int64_t side = by_rows ? m : n, other = by_rows ? n : m, unit = by_rows ? gemm_rows : 16;
  const auto whole = [unit](int64_t size) { return (size + unit - 1) / unit * unit; };
  const int64_t wanted = std::max<int64_t>(serial / 2 / std::max<int64_t>(1, other * k), 1);
  const int64_t block = std::min(whole(std::max<int64_t>(wanted, 64)), std::max<int64_t>(unit, whole(side / 2)));
  if (!by_rows || !own)
    return parallel_blocks(side, block, [&](int64_t begin, int64_t end) {
      by_rows ? block_of(begin, end - begin, 0, n) : block_of(0, m, begin, end - begin);
    });
  const Storage packed(packed_size(n, k));
  const int64_t panels = std::max<int64_t>(1, (1 << 14) / (panel * k));
  parallel_blocks(n, panels * panel, [&](int64_t begin, int64_t end) {
    pack(tb, end - begin, k, b + begin * (tb ? ldb : 1), ldb, packed.data + begin * k);
  });
  parallel_blocks(m, block, [&](int64_t begin, int64_t end) {
    const int64_t rows = end - begin;
    real* const to = c + begin * n;
    ta ? own_gemm_packed(rows, n, k, ByColumns{a + begin, lda}, packed.data, false, to, 0, n)
       : own_gemm_packed(rows, n, k, ByRows{a + begin * lda, lda}, packed.data, false, to, 0, n);
    if (finish) (*finish)(to, rows, 0, n);
  });
}

}  // namespace evenkeel
