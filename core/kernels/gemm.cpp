// The inner loop keeps a tile of C in registers, and for every k adds the outer product of a column of A (scalars) and
// a row of B (vectors) (Goto and van de Geijn 2008). B is packed into panels as wide as the tile, which stay in the L1
// cache; A is read in place. OpenBLAS as distributions ship it has such loops too, but not for AVX-512 on processors
// newer than its release, and it packs both matrices, which costs up to a tenth of the work at the sizes of small
// networks.
#include "core/kernels/gemm.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/check.h"
#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/bf16.h"
#include "core/kernels/blas.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

// The tile that fills the registers, of which there are 32 or 16.
constexpr int tile_rows = gemm_rows, tile_vecs = 2;
constexpr int panel = tile_vecs * lanes;  // columns
constexpr int64_t depth = 256;            // rows of a panel: 16 or 32 KiB
// B and C are in the L2 cache. With AVX-512 their lines are prefetched, those of B and of the columns of A this many
// rows ahead. With smaller registers the hardware prefetchers suffice, and software prefetches cost 2 to 6 % of the
// time.
constexpr bool prefetches = vec_bytes == 64;
constexpr int64_t ahead = 16;

bool own = true;  // false: OpenBLAS computes products

// A stored by rows, `down` apart.
struct ByRows {
  const real* a;
  int64_t down;
};
// A stored by columns, `along` apart.
struct ByColumns {
  const real* a;
  int64_t along;
};
Indexed from(const Indexed& a, int64_t i, int64_t p) { return {a.a, a.rows + i, a.columns + p}; }
ByRows from(const ByRows& a, int64_t i, int64_t p) { return {a.a + i * a.down + p, a.down}; }
ByColumns from(const ByColumns& a, int64_t i, int64_t p) { return {a.a + i + p * a.along, a.along}; }

// M rows of A, column after column.
template <int M, class A>
struct Column;
template <int M>
struct Column<M, ByRows> {
  explicit Column(const ByRows& a) : down(a.down) {
    for (int i = 0; i < M; i += 3) row[i / 3] = a.a + i * down;
  }
  real operator[](int i) const { return row[i / 3][i % 3 * down]; }
  void next() {
    for (const real*& r : row) ++r;
  }
  void prefetch() const {}
  const real* row[(M + 2) / 3];  // every third row; an addressing mode reaches the two after it
  int64_t down;
};
// Each column lies on other cache lines, too far apart for the hardware prefetchers.
template <int M>
struct Column<M, ByColumns> {
  explicit Column(const ByColumns& a) : at(a.a), along(a.along) {}
  real operator[](int i) const { return at[i]; }
  void next() { at += along; }
  void prefetch() const {
    __builtin_prefetch(at + ahead * along);
    __builtin_prefetch(at + ahead * along + M - 1);
  }
  const real* at;
  int64_t along;
};
template <int M>
struct Column<M, Indexed> {
  explicit Column(const Indexed& a) : column(a.columns) {
    for (int i = 0; i < M; ++i) row[i] = a.a + a.rows[i];
  }
  real operator[](int i) const { return row[i][*column]; }
  void next() { ++column; }
  void prefetch() const {}
  const real* row[M];
  const int64_t* column;
};

// C (times M x V Vecs) = or += A B. The rows of B and C lie `ldb` and `ldc` apart.
template <int M, int V, class A>
void tile(int64_t times, int64_t k, A a, const real* b, int64_t ldb, real* c, int64_t ldc, bool add) {
  for (; times > 0; --times, a = from(a, M, 0), c += M * ldc) {
    Vec sum[M][V];
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[i][v] = Vec{};
    if (prefetches)
      for (int i = 0; i < M; ++i)
        for (int v = 0; v < V; ++v) __builtin_prefetch(c + i * ldc + v * lanes, 1);
    Column<M, A> column(a);
    const real* next = b;
    for (int64_t p = 0; p < k; ++p, next += ldb, column.next()) {
      Vec line[V];
      if (prefetches) column.prefetch();
      for (int v = 0; v < V; ++v) {
        line[v] = vec(next + v * lanes);
        if (prefetches) __builtin_prefetch(next + ahead * ldb + v * lanes);
      }
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const real factor = column[i];
        for (int v = 0; v < V; ++v) sum[i][v] += factor * line[v];
      }
    }
    if (add)
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[i][v] += Vec(vec(c + i * ldc + v * lanes));
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) vec(c + i * ldc + v * lanes) = sum[i][v];
  }
}

template <class A>
using Tile = void (*)(int64_t, int64_t, A, const real*, int64_t, real*, int64_t, bool);
template <class A, int V, size_t... M>
constexpr std::array<Tile<A>, sizeof...(M)> tiles_of(std::index_sequence<M...>) {
  return {tile<M + 1, V, A>...};
}
// Indexed by the numbers of Vecs and of rows, each minus one.
template <class A>
constexpr std::array<Tile<A>, tile_rows> tiles[] = {tiles_of<A, 1>(std::make_index_sequence<tile_rows>()),
                                                    tiles_of<A, tile_vecs>(std::make_index_sequence<tile_rows>())};

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

// C (m x width, some columns of a panel) = or += A (m x k) B (k x panel).
template <class A>
void multiply_panel(int64_t m, int64_t width, int64_t k, const A& a, const real* b, int64_t ldb, real* c, int64_t ldc,
                    bool add) {
  const int vecs = width > lanes ? tile_vecs : 1;
  const auto& by_rows = tiles<A>[vecs > 1];
  const int64_t times = m / tile_rows, rest = m % tile_rows, done = m - rest;
  if (width == vecs * lanes) {
    by_rows[tile_rows - 1](times, k, a, b, ldb, c, ldc, add);
    if (rest) by_rows[static_cast<size_t>(rest - 1)](1, k, from(a, done, 0), b, ldb, c + done * ldc, ldc, add);
    return;
  }
  alignas(64) real corner[tile_rows * panel];
  for (int64_t i = 0; i < m; i += tile_rows) {
    const int64_t count = std::min<int64_t>(tile_rows, m - i);
    by_rows[static_cast<size_t>(count - 1)](1, k, from(a, i, 0), b, ldb, corner, panel, false);
    for (int64_t r = i; r < i + count; ++r)
      for (int64_t s = 0; s < width; ++s)
        c[r * ldc + s] = corner[(r - i) * panel + s] + (add ? c[r * ldc + s] : real(0));
  }
}

// A product without an inner dimension.
void set_zero(int64_t m, int64_t n, real* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, real(0));
}

template <class A>
void own_gemm(const A& a, bool tb, int64_t m, int64_t n, int64_t k, const real* b, int64_t ldb, bool add, real* c,
              int64_t ldc) {
  alignas(64) static thread_local real copied[depth * panel];
  for (int64_t p = 0; p < k; p += depth, add = true) {
    const int64_t length = std::min(depth, k - p);
    for (int64_t j = 0; j < n; j += panel) {
      const int64_t width = std::min<int64_t>(panel, n - j);
      const real* lines = tb ? b + j * ldb + p : b + p * ldb + j;
      int64_t step = ldb;
      // Packing pays if many tiles use the copy, or if rows far apart would map to few sets of the cache.
      if (tb || width % lanes != 0 || (m > 4 * tile_rows && ldb > 2 * panel)) {
        copy_panel(tb, length, width, lines, ldb, copied);
        lines = copied;
        step = panel;
      }
      multiply_panel(m, width, length, from(a, 0, p), lines, step, c + j, ldc, add);
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
    for (int64_t j = begin; j < end; j += panel)
      multiply_panel(m, std::min<int64_t>(panel, end - j), std::min(depth, k - p), from(a, 0, p),
                     packed + j * k + p * panel, panel, c + j, n, add || p > 0);
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
