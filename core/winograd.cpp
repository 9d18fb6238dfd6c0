// Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2016), channels last.
//
// Six neighbouring inputs d and r taps w make m = 7 - r outputs. Let E_n be the 6 x n matrix that takes the n coefficients of a
// polynomial to its values at the points 0, a, -a, b, -b and infinity (there: its leading coefficient), a = 1/b = sqrt(1/2). Then
//   y = E_m^T (N E_r w . B^T d),   N = diag(1, -2/3, -2/3, 1/6, 1/6, 1),
//         | 1    0 -5/2    0    1    0 |
//         | 0   -b   -2    a    1    0 |
//   B^T = | 0    b   -2   -a    1    0 |
//         | 0   -a -1/2    b    1    0 |
//         | 0    a -1/2   -b    1    0 |
//         | 0    1    0 -5/2    0    1 |
// where . multiplies element by element. In two dimensions every matrix acts on columns and then on rows, and 36 products take the
// place of (m r)^2: 144 for 3x3, 100 for 5x5. Summed over channels, each of the 36 is a matrix product, tiles x channels in times
// channels in x channels out. The data gradient is the convolution with the rotated filter; the weight gradient is the
// adjoint of the above in w: (N E_r)^T (B^T d . E_m g), summed over tiles.
//
// The usual points 0, 1, -1, 2, -2 would serve as well, at twice the mean and four times the largest error.
#include "core/winograd.h"

#include <algorithm>

#include "core/gemm.h"
#include "core/parallel.h"
#include "core/simd.h"

namespace evenkeel {
namespace {

constexpr int points = 6;
constexpr int products = points * points;

constexpr real a_powers[] = {1, real(0.70710678118654752440), real(1) / 2, real(0.35355339059327376220), real(1) / 4};
constexpr real b_powers[] = {1, real(1.41421356237309504880), 2, real(2.82842712474619009760), 4};
constexpr real scale[] = {1, real(-2) / 3, real(-2) / 3, real(1) / 6, real(1) / 6, 1};  // N

// The transforms of one line; from and to say how many numbers go in and come out.
template <int n>
struct Evaluate {  // E_n
  static constexpr int from = n, to = points;
  static void line(const Vec* in, Vec* out) {
    Vec even_a = in[0], odd_a = a_powers[1] * in[1], even_b = in[0], odd_b = b_powers[1] * in[1];
    for (int i = 2; i < n; ++i) {
      (i % 2 ? odd_a : even_a) += a_powers[i] * in[i];
      (i % 2 ? odd_b : even_b) += b_powers[i] * in[i];
    }
    out[0] = in[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = in[n - 1];
  }
};

template <int n>
struct EvaluateTransposed {  // E_n^T
  static constexpr int from = points, to = n;
  static void line(const Vec* in, Vec* out) {
    const Vec even_a = in[1] + in[2], odd_a = in[1] - in[2], even_b = in[3] + in[4], odd_b = in[3] - in[4];
    for (int i = 0; i < n; ++i) out[i] = a_powers[i] * (i % 2 ? odd_a : even_a) + b_powers[i] * (i % 2 ? odd_b : even_b);
    out[0] += in[0];
    out[n - 1] += in[5];
  }
};

template <int n>
struct Filter : Evaluate<n> {  // N E_n
  static void line(const Vec* in, Vec* out) {
    Evaluate<n>::line(in, out);
    for (int i = 0; i < points; ++i) out[i] *= scale[i];
  }
};

template <int n>
struct FilterTransposed : EvaluateTransposed<n> {  // (N E_n)^T
  static void line(const Vec* in, Vec* out) {
    Vec scaled[points];
    for (int i = 0; i < points; ++i) scaled[i] = scale[i] * in[i];
    EvaluateTransposed<n>::line(scaled, out);
  }
};

struct Input {  // B^T
  static constexpr int from = points, to = points;
  static void line(const Vec* d, Vec* out) {
    constexpr real a = a_powers[1], b = b_powers[1], sum = real(5) / 2;
    const Vec even_a = d[4] - real(2) * d[2], odd_a = a * d[3] - b * d[1], even_b = d[4] - real(0.5) * d[2],
              odd_b = b * d[3] - a * d[1];
    out[0] = d[0] - sum * d[2] + d[4];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = d[1] - sum * d[3] + d[5];
  }
};

// Where the elements of a tile lie: (i, j) at data + i down + j along, channels side by side.
template <class Real>
struct View {
  Real* data;
  int64_t down, along;
  Real* at(int64_t i, int64_t j) const { return data + i * down + j * along; }
};

// to = L from L^T for each channel.
template <class L, class Real>
void transform(View<Real> from, View<real> to, int64_t channels) {
  for (int64_t next = 0; next < channels; next += lanes) {
    const int64_t c = std::min(next, channels - lanes);  // the last group overlaps the one before it
    Vec half[L::to][L::from];
    for (int j = 0; j < L::from; ++j) {
      Vec column[L::from], result[L::to];
      for (int i = 0; i < L::from; ++i) column[i] = vec(from.at(i, j) + c);
      L::line(column, result);
      for (int i = 0; i < L::to; ++i) half[i][j] = result[i];
    }
    for (int i = 0; i < L::to; ++i) {
      Vec result[L::to];
      L::line(half[i], result);
      for (int j = 0; j < L::to; ++j) vec(to.at(i, j) + c) = result[j];
    }
  }
}

// 36 matrices of rows x columns, one after the other. The gap keeps them from falling into the same sets of the cache.
struct Matrices {
  Matrices(int64_t rows, int64_t columns) : columns(columns), step(rows * columns + lanes), storage(products * step) {}
  real* operator[](int64_t e) const { return storage.data + e * step; }
  View<real> row(int64_t t) const { return {storage.data + t * columns, points * step, step}; }  // row t of each
  const int64_t columns, step;
  const Storage storage;
};

// The tiles of an image batch: squares of `side` whose corners are `pitch` apart, the first at (-offset, -offset). What of a tile
// lies outside of its image is zero when read and forgotten when written; such a tile goes through a scratch.
template <class Real>
struct Tiles {
  Real* data;
  int64_t h, w, c;
  int64_t down, across;  // tiles in an image
  int64_t side, pitch, offset;

  struct Place {
    View<Real> view;         // of the whole tile: not all of it may be there
    int64_t r0, r1, s0, s1;  // the rows and columns that are
  };
  Place at(int64_t t) const {
    const int64_t n = t / (down * across), top = t / across % down * pitch - offset, left = t % across * pitch - offset;
    return {{data + ((n * h + top) * w + left) * c, w * c, c},
            std::max<int64_t>(0, -top),
            std::min(side, h - top),
            std::max<int64_t>(0, -left),
            std::min(side, w - left)};
  }
  bool whole(const Place& p) const { return p.r1 - p.r0 == side && p.s1 - p.s0 == side; }
  View<real> on(real* scratch) const { return {scratch, side * c, c}; }
};

// The matrices' rows t - first = L tile L^T, for the tiles t in [begin, end).
template <class L>
void read_tiles(const Tiles<const real>& tiles, int64_t begin, int64_t end, int64_t first, const Matrices& to) {
  const Storage storage(tiles.side * tiles.side * tiles.c);
  const View<real> scratch = tiles.on(storage.data);
  for (int64_t t = begin; t < end; ++t) {
    const auto place = tiles.at(t);
    if (tiles.whole(place)) {
      transform<L>(place.view, to.row(t - first), tiles.c);
      continue;
    }
    std::fill_n(storage.data, storage.size, real(0));
    for (int64_t r = place.r0; r < place.r1; ++r)
      std::copy_n(place.view.at(r, place.s0), (place.s1 - place.s0) * tiles.c, scratch.at(r, place.s0));
    transform<L>(scratch, to.row(t - first), tiles.c);
  }
}

// The tiles t in [begin, end) = L (the matrices' rows t - first) L^T.
template <class L>
void write_tiles(const Matrices& from, int64_t begin, int64_t end, int64_t first, const Tiles<real>& tiles) {
  const Storage storage(tiles.side * tiles.side * tiles.c);
  const View<real> scratch = tiles.on(storage.data);
  for (int64_t t = begin; t < end; ++t) {
    const auto place = tiles.at(t);
    if (tiles.whole(place)) {
      transform<L>(from.row(t - first), place.view, tiles.c);
      continue;
    }
    transform<L>(from.row(t - first), scratch, tiles.c);
    for (int64_t r = place.r0; r < place.r1; ++r)
      std::copy_n(scratch.at(r, place.s0), (place.s1 - place.s0) * tiles.c, place.view.at(r, place.s0));
  }
}

struct Plan {
  int64_t down, across;  // tiles in an image
  int64_t tiles;         // in all
  int64_t block;         // tiles whose transforms, of `channels` in all, stay in a core's second-level cache
};

Plan plan(int64_t n, int64_t p, int64_t q, int64_t r, int64_t channels) {
  const int64_t m = points + 1 - r, down = (p + m - 1) / m, across = (q + m - 1) / m;
  return {down, across, n * down * across, std::clamp<int64_t>((1 << 18) / (products * channels) / 28 * 28, 28, 252)};
}

// y = x convolved with the transformed filters u, 36 x (c x k). x (n, h, w, c), y (n, p, q, k).
template <int r>
void convolve(const real* x, int64_t n, int64_t h, int64_t w, int64_t c, const Matrices& u, real* y, int64_t p, int64_t q,
              int64_t k, int64_t padding) {
  constexpr int m = points + 1 - r;
  const Plan a = plan(n, p, q, r, c + k);
  parallel_blocks(a.tiles, a.block, [&](int64_t begin, int64_t end) {
    const int64_t count = end - begin;
    const Matrices v(count, c), product(count, k);
    read_tiles<Input>({x, h, w, c, a.down, a.across, points, m, padding}, begin, end, begin, v);
    for (int e = 0; e < products; ++e) gemm(false, false, count, k, c, v[e], c, u[e], k, false, product[e], k);
    write_tiles<EvaluateTransposed<m>>(product, begin, end, begin, {y, p, q, k, a.down, a.across, m, m, 0});
  });
}

template <int r>
void forward(const ConvGeometry& a, const real* x, const real* w, real* y) {
  const Storage turned(r * r * a.c * a.k);  // (R, S, C, K)
  for (int64_t k = 0; k < a.k; ++k)
    for (int64_t i = 0; i < r * r * a.c; ++i) turned.data[i * a.k + k] = w[k * r * r * a.c + i];
  const Matrices u(a.c, a.k);
  parallel_blocks(a.c, 16, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      transform<Filter<r>>(View<const real>{turned.data + c * a.k, r * a.c * a.k, a.c * a.k}, u.row(c), a.k);
  });
  convolve<r>(x, a.n, a.h, a.w, a.c, u, y, a.p, a.q, a.k, a.padding);
}

template <int r>
void backward_x(const ConvGeometry& a, const real* g, const real* w, real* dx) {
  const Matrices u(a.k, a.c);
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)  // rotated: from the last tap backwards
      transform<Filter<r>>(View<const real>{w + ((k + 1) * r * r - 1) * a.c, -r * a.c, -a.c}, u.row(k), a.c);
  });
  convolve<r>(g, a.n, a.p, a.q, a.k, u, dx, a.h, a.w, a.c, r - 1 - a.padding);
}

// The tiles are transformed in blocks, by all threads; then each of the 36 products adds its block to the sum, again by all.
template <int r>
void backward_w(const ConvGeometry& a, const real* x, const real* g, real* dw) {
  constexpr int m = points + 1 - r;
  const Plan plan_ = plan(a.n, a.p, a.q, r, a.c + a.k);
  const int64_t down = plan_.down, across = plan_.across, tiles = plan_.tiles;
  const int64_t large = std::min<int64_t>(tiles, 4 * plan_.block);
  const Matrices v(large, a.c), z(large, a.k), sum(a.k, a.c);
  for (int64_t first = 0; first < tiles; first += large) {
    const int64_t count = std::min(large, tiles - first);
    parallel_blocks(count, 16, [&](int64_t begin, int64_t end) {
      read_tiles<Input>({x, a.h, a.w, a.c, down, across, points, m, a.padding}, first + begin, first + end, first, v);
      read_tiles<Evaluate<m>>({g, a.p, a.q, a.k, down, across, m, m, 0}, first + begin, first + end, first, z);
    });
    parallel_for(products, [&](int64_t e) { gemm(true, false, a.k, a.c, count, z[e], a.k, v[e], a.c, first > 0, sum[e], a.c); });
  }
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) transform<FilterTransposed<r>>(sum.row(k), {dw + k * r * r * a.c, r * a.c, a.c}, a.c);
  });
}

}  // namespace

bool winograd_applies(const ConvGeometry& a) {
  return a.stride == 1 && a.r == a.s && (a.r == 3 || a.r == 5) && a.c >= 16 && a.k >= 16;
}
int64_t winograd_products(const ConvGeometry& a) { return products * plan(a.n, a.p, a.q, a.r, a.c + a.k).tiles; }

void winograd_forward(const ConvGeometry& a, const real* x, const real* w, real* y) {
  a.r == 3 ? forward<3>(a, x, w, y) : forward<5>(a, x, w, y);
}
void winograd_backward_x(const ConvGeometry& a, const real* g, const real* w, real* dx) {
  a.r == 3 ? backward_x<3>(a, g, w, dx) : backward_x<5>(a, g, w, dx);
}
void winograd_backward_w(const ConvGeometry& a, const real* x, const real* g, real* dw) {
  a.r == 3 ? backward_w<3>(a, x, g, dw) : backward_w<5>(a, x, g, dw);
}

}  // namespace evenkeel
