// The inner loop of products: a tile of C that fills the registers.
#pragma once
#include <array>
#include <type_traits>
#include <utility>

#include "core/kernels/gemm.h"
#include "core/kernels/prefetch.h"
#include "core/kernels/simd.h"

namespace evenkeel::gemm_tiles {

// The tile that fills the registers, of which there are 32 or 16.
constexpr int tile_rows = gemm_rows, tile_vecs = 2;
constexpr int panel = tile_vecs * lanes;  // columns
constexpr int64_t depth = 256;            // rows of a panel: 8, 16 or 32 KiB
// With AVX-512 a product of at least wide_from rows takes two panels at a time, in tiles of 6 x 4 Vecs: 10 loads for 24
// multiply-adds, where 14 x 2 Vecs take 16 for 28. With fewer rows, too much of the time goes to reading B from the L2
// cache or beyond.
constexpr int wide_rows = 6, wide_vecs = vec_bytes == 64 ? 2 * tile_vecs : 0;
constexpr int64_t wide_from = 57;
// With AVX-512 the lines of C are prefetched, and those of B and of a ByColumns A `ahead` rows before they are read: B
// by the first tile only, because the next ones find it in the cache.
// With smaller registers the hardware prefetchers suffice, and software prefetches cost 2 to 6 % of the time.
constexpr bool prefetches = vec_bytes == 64;
constexpr int64_t ahead = 16;

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
inline Indexed from(const Indexed& a, int64_t i, int64_t p) { return {a.a, a.rows + i, a.columns + p}; }
inline ByRows from(const ByRows& a, int64_t i, int64_t p) { return {a.a + i * a.down + p, a.down}; }
inline ByColumns from(const ByColumns& a, int64_t i, int64_t p) { return {a.a + i + p * a.along, a.along}; }

// M rows of A, column after column.
template <int M, class A>
struct Column;
template <int M>
struct Column<M, ByRows> {
  explicit Column(const ByRows& a) : down(a.down) {
    for (int i = 0; i < M; i += 3) row[i / 3] = a.a + i * down;
  }
  const real* at(int i) const { return row[i / 3] + i % 3 * down; }
  real operator[](int i) const { return *at(i); }
  void next(int64_t columns = 1) {
    for (const real*& r : row) r += columns;
  }
  void prefetch() const {}
  const real* row[(M + 2) / 3];  // every third row; an addressing mode reaches the two after it
  int64_t down;
};
// Each column lies on other cache lines, too far apart for the hardware prefetchers.
template <int M>
struct Column<M, ByColumns> {
  explicit Column(const ByColumns& a) : first(a.a), along(a.along) {}
  const real* at(int i) const { return first + i; }
  real operator[](int i) const { return *at(i); }
  void next() { first += along; }
  void prefetch() const {
    evenkeel::prefetch(first, ahead * along);
    evenkeel::prefetch(first, ahead * along + M - 1);
  }
  const real* first;
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

// Loads a Vec of a row of B; `fetch`: prefetches the one `ahead` rows below it.
inline Vec read_line(const real* b, int64_t ldb, bool fetch) {
  if (fetch) prefetch(b, ahead * ldb);
  return vec(b);
}

// sum (M x V Vecs) = A (M x k) B. The rows of B lie `ldb` apart, and its second panel `right` after the first; `fetch`:
// they are prefetched.
template <int M, int V, class A>
struct Product {
  static void set(int64_t k, const A& a, const real* b, int64_t ldb, int64_t right, bool fetch, Vec (&sum)[M][V]) {
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[i][v] = Vec{};
    Column<M, A> column(a);
    for (int64_t p = 0; p < k; ++p, b += ldb, column.next()) {
      Vec line[V];
      if (prefetches) column.prefetch();
      for (int v = 0; v < V; ++v) line[v] = read_line(b + v / tile_vecs * right + v % tile_vecs * lanes, ldb, fetch);
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const real factor = column[i];
        for (int v = 0; v < V; ++v) sum[i][v] += factor * line[v];
      }
    }
  }
};

// For a result of one Vec a row, the loop above loads a number of A for each multiply-add. Some processors (measured:
// Ice Lake) load one register of 512 bits a cycle, but start two multiply-adds. So the two specialisations below load
// two numbers at a time, broadcast the pair to a Vec, a b a b ..., and multiply that with two Vecs.
constexpr bool pairs = vec_bytes == 64 && sizeof(real) == 4;

// By rows: two numbers of a row of A, with two rows of B interleaved.
template <int M>
requires pairs struct Product<M, 1, ByRows> {
  static void set(int64_t k, const ByRows& a, const real* b, int64_t ldb, int64_t, bool fetch, Vec (&sum)[M][1]) {
    Column<M, ByRows> column(a);
    Vec two[M][2];
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) two[i][0] = two[i][1] = Vec{};
    int64_t p = 0;
    for (; p + 1 < k; p += 2, b += 2 * ldb, column.next(2)) {
      const Vec even = read_line(b, ldb, fetch), odd = read_line(b + ldb, ldb, fetch);
      const Vec low = interleave_low(even, odd), high = interleave_high(even, odd);
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const Vec factors = repeat_pair(column.at(i));
        two[i][0] += factors * low;
        two[i][1] += factors * high;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) sum[i][0] = evens(two[i][0], two[i][1]) + odds(two[i][0], two[i][1]);
    if (p == k) return;
    const Vec last = vec(b);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) sum[i][0] += column[i] * last;
  }
};

// By columns: two rows of A at a time, with each number of B repeated twice. If M is odd, the last row is alone.
template <int M>
requires pairs struct Product<M, 1, ByColumns> {
  static void set(int64_t k, const ByColumns& a, const real* b, int64_t ldb, int64_t, bool fetch, Vec (&sum)[M][1]) {
    constexpr int halves = (M + 1) / 2;
    Column<M, ByColumns> column(a);
    Vec two[halves][2];
#pragma GCC unroll 16
    for (int i = 0; i < halves; ++i) two[i][0] = two[i][1] = Vec{};
    for (int64_t p = 0; p < k; ++p, b += ldb, column.next()) {
      column.prefetch();
      const Vec line = read_line(b, ldb, fetch), low = interleave_low(line, line), high = interleave_high(line, line);
#pragma GCC unroll 16
      for (int i = 0; i < halves; ++i) {
        const Vec factors = 2 * i + 1 < M ? repeat_pair(column.at(2 * i)) : column[2 * i] - Vec{};
        two[i][0] += factors * low;
        two[i][1] += factors * high;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
      sum[i][0] = i % 2 ? odds(two[i / 2][0], two[i / 2][1]) : evens(two[i / 2][0], two[i / 2][1]);
  }
};

// C (times M x V Vecs) = or += A B. The rows of B and C lie `ldb` and `ldc` apart, and the second
// panel of B `right` after the first.
template <int M, int V, class A>
void tile(int64_t times, int64_t k, A a, const real* b, int64_t ldb, int64_t right, real* c, int64_t ldc, bool add) {
  for (bool fetch = prefetches; times > 0; --times, a = from(a, M, 0), c += M * ldc, fetch = false) {
    Vec sum[M][V];
    if (prefetches)
      for (int i = 0; i < M; ++i)
        for (int v = 0; v < V; ++v) prefetch<1>(c, i * ldc + v * lanes);
    Product<M, V, A>::set(k, a, b, ldb, right, fetch, sum);
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

// The most rows of a tile with V Vecs a row.
template <int V, class A>
constexpr int most_rows = V > tile_vecs                                    ? wide_rows
                          : pairs&& V == 1 && std::is_same_v<A, ByColumns> ? 16
                                                                           : tile_rows;

template <class A>
using Tile = void (*)(int64_t, int64_t, A, const real*, int64_t, int64_t, real*, int64_t, bool);
template <int V, class A, size_t... M>
constexpr std::array<Tile<A>, sizeof...(M)> tiles_of(std::index_sequence<M...>) {
  return {tile<M + 1, V, A>...};
}
template <int V, class A>  // indexed by the number of rows minus one
constexpr auto tiles = tiles_of<V, A>(std::make_index_sequence<most_rows<V, A>>());

}  // namespace evenkeel::gemm_tiles
