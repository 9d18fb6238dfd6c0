// Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2016), channels last.
//
// n = r + 3 neighbouring inputs d and r taps w make 4 outputs. Let E_k be the n x k matrix that takes the k
// coefficients of a polynomial to its values at the points 0, p, -p for each p of a few pairs, and infinity (there: its
// leading coefficient). Let M(x) = x (x^2 - p^2) (x^2 - q^2) ... be zero at all points but the last. Then
//   y = E_4^T (N E_r w . B^T d),
// where . multiplies element by element, B^T's rows are the coefficients of M(x) / (x - point), for infinity of M(x),
// and N divides each value by that polynomial's at its own point, M'(point), for infinity 1. In two dimensions every
// matrix acts on columns and then on rows, and n^2 products take the place of (4 r)^2: 36 of 144 for 3x3, 64 of 400 for
// 5x5. Summed over channels, each is a matrix product, tiles x channels in times channels in x channels out. The data
// gradient is the convolution with the rotated filter; the weight gradient is the adjoint of the above in w:
// (N E_r)^T (B^T d . E_4 g), summed over tiles.
//
// For 3x3 the points are p = sqrt(1/2) and q = sqrt(2); the usual 1 and 2 have twice the mean error and four times the
// largest error. For 5x5 they are 1/2, 1 and 2.
#include "core/kernels/winograd.h"

#include <algorithm>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/gemm.h"
#include "core/kernels/row_moments.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

constexpr int outputs = 4;  // of a tile, in each direction

// The points for r taps, and the constants that follow from them.
template <int r>
struct Scheme {
  static constexpr int points = r + outputs - 1, products = points * points, pairs = points / 2 - 1;

  double point[pairs];
  real power[pairs][points];  // point^i
  real all[pairs + 1];        // of prod (x^2 - p^2): the coefficients of x^(2i)
  real others[pairs][pairs];  // the same without one pair
  real scale[points];         // N

  constexpr Scheme() : point(), power(), all(), others(), scale() {
    const double sqrt2 = 1.41421356237309504880, three[] = {1 / sqrt2, sqrt2}, five[] = {0.5, 1, 2};
    for (int k = 0; k < pairs; ++k) point[k] = r == 3 ? three[k] : five[k];
    for (int k = 0; k < pairs; ++k) {
      double value = 1;
      for (int i = 0; i < points; ++i, value *= point[k]) power[k][i] = static_cast<real>(value);
    }
    double product[pairs + 1] = {1};
    for (int k = 0; k < pairs; ++k) multiply(product, k);
    for (int i = 0; i <= pairs; ++i) all[i] = static_cast<real>(product[i]);
    scale[0] = static_cast<real>(1 / product[0]);
    scale[points - 1] = 1;
    for (int k = 0; k < pairs; ++k) {
      double rest[pairs + 1] = {1}, value = 0, square = 1;
      for (int j = 0; j < pairs; ++j)
        if (j != k) multiply(rest, j);
      for (int i = 0; i < pairs; ++i, square *= point[k] * point[k]) {
        others[k][i] = static_cast<real>(rest[i]);
        value += rest[i] * square;
      }
      scale[2 * k + 1] = scale[2 * k + 2] = static_cast<real>(1 / (2 * point[k] * point[k] * value));
    }
  }
  constexpr void multiply(double (&polynomial)[pairs + 1], int k) const {  // by x^2 - point^2
    for (int i = pairs; i >= 0; --i)
      polynomial[i] = (i > 0 ? polynomial[i - 1] : 0) - point[k] * point[k] * polynomial[i];
  }
};
template <int r>
constexpr Scheme<r> scheme;

// The transforms of one line, from `from` to `to` numbers.
template <int r, int n>
struct Evaluate {  // E_n
  static constexpr int from = n, to = Scheme<r>::points;
  static void line(const Vec* in, Vec* out) {
    out[0] = in[0];
    out[to - 1] = in[n - 1];
    for (int k = 0; k < Scheme<r>::pairs; ++k) {
      Vec even = in[0], odd = scheme<r>.power[k][1] * in[1];
      for (int i = 2; i < n; ++i) (i % 2 ? odd : even) += scheme<r>.power[k][i] * in[i];
      out[2 * k + 1] = even + odd;
      out[2 * k + 2] = even - odd;
    }
  }
};

template <int r, int n>
struct EvaluateTransposed {  // E_n^T
  static constexpr int from = Scheme<r>::points, to = n;
  static void line(const Vec* in, Vec* out) {
    for (int i = 0; i < n; ++i) out[i] = Vec{};
    for (int k = 0; k < Scheme<r>::pairs; ++k) {
      const Vec even = in[2 * k + 1] + in[2 * k + 2], odd = in[2 * k + 1] - in[2 * k + 2];
      for (int i = 0; i < n; ++i) out[i] += scheme<r>.power[k][i] * (i % 2 ? odd : even);
    }
    out[0] += in[0];
    out[n - 1] += in[from - 1];
  }
};

template <int r>
struct Filter : Evaluate<r, r> {  // N E_r
  static void line(const Vec* in, Vec* out) {
    Evaluate<r, r>::line(in, out);
    for (int i = 0; i < Scheme<r>::points; ++i) out[i] *= scheme<r>.scale[i];
  }
};

template <int r>
struct FilterTransposed : EvaluateTransposed<r, r> {  // (N E_r)^T
  static void line(const Vec* in, Vec* out) {
    Vec scaled[Scheme<r>::points];
    for (int i = 0; i < Scheme<r>::points; ++i) scaled[i] = scheme<r>.scale[i] * in[i];
    EvaluateTransposed<r, r>::line(scaled, out);
  }
};

template <int r>
struct Input {  // B^T
  static constexpr int from = Scheme<r>::points, to = Scheme<r>::points;
  static void line(const Vec* d, Vec* out) {
    constexpr int pairs = Scheme<r>::pairs;
    out[0] = d[2 * pairs];
    out[to - 1] = d[2 * pairs + 1];
    for (int i = 0; i < pairs; ++i) {
      out[0] += scheme<r>.all[i] * d[2 * i];
      out[to - 1] += scheme<r>.all[i] * d[2 * i + 1];
    }
    for (int k = 0; k < pairs; ++k) {
      Vec even = d[2 * pairs], odd = d[2 * pairs - 1];
      for (int i = 0; i + 1 < pairs; ++i) {
        even += scheme<r>.others[k][i] * d[2 * i + 2];
        odd += scheme<r>.others[k][i] * d[2 * i + 1];
      }
      odd *= scheme<r>.power[k][1];
      out[2 * k + 1] = even + odd;
      out[2 * k + 2] = even - odd;
    }
  }
};

// Where the elements of a square lie: (i, j) at data + i down + j along, channels side by side.
template <class Real>
struct View {
  Real* data;
  int64_t down, along;
  Real* at(int64_t i, int64_t j) const { return data + i * down + j * along; }
  bool holds(int64_t) const { return true; }
  template <int n>  // n Vecs of column j, their channels from c on
  void column(int64_t j, int64_t c, Vec (&out)[n]) const {
    Real* p = data + j * along + c;
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i, p += down) out[i] = vec(p);
  }
};

// A square that crosses an image's edge: rows outside read one line of zeros, columns outside are skipped.
template <int side>
struct Edged {
  const real* row[side];
  int64_t along, j0, j1;  // columns inside
  bool holds(int64_t j) const { return j0 <= j && j < j1; }
  template <int n>
  void column(int64_t j, int64_t c, Vec (&out)[n]) const {
    const int64_t at = j * along + c;
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) out[i] = vec(row[i] + at);
  }
};

struct AsItIs {
  Vec operator()(Vec v, const real*, int64_t) const { return v; }
};

// How results are written, and how many neighbouring Vecs at a time: a whole cache line for non-temporal stores.
struct Store {
  static constexpr int vecs = 1;
  void operator()(real* to, Vec v) const { vec(to) = v; }
};
struct Stream {
  static constexpr int vecs = std::max(1, 64 / vec_bytes);
  void operator()(real* to, Vec v) const { stream(to, v); }
};

// to = epilogue(L from L^T) for each channel; finish(v, where, channel) is the value to write.
template <class L, class From, class F = AsItIs, class S = Store>
void transform(const From& from, const View<real>& to, int64_t channels, const F& finish = {}, const S& store = {}) {
  constexpr int group = S::vecs, wide = group * lanes;
  for (int64_t next = 0; next < channels; next += wide) {
    const int64_t c = std::min(next, channels - wide);  // the last group overlaps the one before it
    Vec half[group][L::to][L::from];
    for (int g = 0; g < group; ++g)
      for (int j = 0; j < L::from; ++j) {
        Vec column[L::from], result[L::to] = {};
        if (from.holds(j)) {
          from.column(j, c + g * lanes, column);
          L::line(column, result);
        }
#pragma GCC unroll 8
        for (int i = 0; i < L::to; ++i) half[g][i][j] = result[i];
      }
    real* row = to.data + c;
    for (int i = 0; i < L::to; ++i, row += to.down) {
      Vec result[group][L::to];
#pragma GCC unroll 4
      for (int g = 0; g < group; ++g) L::line(half[g][i], result[g]);
      real* place = row;
#pragma GCC unroll 8
      for (int j = 0; j < L::to; ++j, place += to.along)
#pragma GCC unroll 4
        for (int g = 0; g < group; ++g)
          store(place + g * lanes, finish(result[g][j], place + g * lanes, c + g * lanes));
    }
  }
}

// n^2 matrices of rows x columns, either one after the other or interleaved by rows: the first row of each, then the
// second of each. The layout makes writes contiguous (a store that misses the cache stalls; a load can be prefetched).
// Gaps keep addresses that are used together in different sets of the cache.
enum Order { by_matrix, by_row };
template <int r, class Memory>
struct Matrices {
  static constexpr int points = Scheme<r>::points, products = Scheme<r>::products;
  Matrices(Order order, int64_t rows, int64_t columns)
      : step(order == by_matrix ? rows * columns + lanes : columns),
        row_step(order == by_matrix ? columns : products * columns + lanes),
        storage(order == by_matrix ? products * step : rows * row_step) {}
  real* operator[](int64_t e) const { return storage.data + e * step; }
  View<real> row(int64_t t) const { return {storage.data + t * row_step, points * step, step}; }  // row t of each
  const int64_t step, row_step;  // between matrices, between the rows of one
  const Memory storage;
};

// The tiles of an image batch: squares of `side` whose corners are `pitch` apart, the first at (-offset, -offset).
template <class Real>
struct Tiles {
  Real* data;
  int64_t h, w, c;
  int64_t down, across;  // tiles in an image
  int64_t side, pitch, offset;

  // Tile t, and its rows and columns inside the image.
  struct Place {
    View<Real> view;
    int64_t i0, i1, j0, j1;
  };
  Place at(int64_t t) const {
    const int64_t n = t / (down * across), top = t / across % down * pitch - offset, left = t % across * pitch - offset;
    return {{data + ((n * h + top) * w + left) * c, w * c, c},
            std::max<int64_t>(0, -top),
            std::min(side, h - top),
            std::max<int64_t>(0, -left),
            std::min(side, w - left)};
  }
  bool whole(const Place& p) const { return p.i0 == 0 && p.i1 == side && p.j0 == 0 && p.j1 == side; }
  View<real> square(real* copy) const { return {copy, side * c, c}; }
};

// Prefetches the memory to which the next tile on the right will be written.
inline void prefetch_next(const Tiles<real>& tiles, const Tiles<real>::Place& place) {
  for (int64_t i = place.i0; i < place.i1; ++i) {
    const real* to = place.view.at(i, tiles.pitch);
    for (int64_t k = 0; k < tiles.pitch * tiles.c; k += 64 / static_cast<int64_t>(sizeof(real)))
      __builtin_prefetch(to + k, 1);
  }
}

// The matrices' rows t - first = L tile L^T, for the tiles t in [begin, end). Outside the image are zeros.
template <class L, class M>
void read_tiles(const Tiles<const real>& tiles, int64_t begin, int64_t end, int64_t first, const M& to) {
  const Scratch<real> zeros(tiles.side * tiles.c);
  std::fill_n(zeros.data, tiles.side * tiles.c, real(0));
  for (int64_t t = begin; t < end; ++t) {
    const auto place = tiles.at(t);
    if (tiles.whole(place)) {
      transform<L>(place.view, to.row(t - first), tiles.c);
      continue;
    }
    Edged<L::from> edged{{}, tiles.c, place.j0, place.j1};
    for (int i = 0; i < L::from; ++i) edged.row[i] = place.i0 <= i && i < place.i1 ? place.view.at(i, 0) : zeros.data;
    transform<L>(edged, to.row(t - first), tiles.c);
  }
}

// The tiles t in [begin, end) = epilogue(L (the matrices' rows t - first) L^T). Results outside the image are
// discarded. `moments`: gathers the pixels that are written, if given; there is no epilogue then.
template <class L, class M>
void write_tiles(const M& from, int64_t begin, int64_t end, int64_t first, const Tiles<real>& tiles,
                 const Finish& finish, bool streamed, RowMoments* moments = nullptr) {
  const Scratch<real> copy(tiles.side * tiles.side * tiles.c);
  const View<real> square = tiles.square(copy.data);
  auto write = [&](int64_t t, const View<real>& to, auto store) {
    finish ? transform<L>(from.row(t - first), to, tiles.c, finish, store)
           : transform<L>(from.row(t - first), to, tiles.c, AsItIs(), store);
  };
  for (int64_t t = begin; t < end; ++t) {
    const auto place = tiles.at(t);
    const bool whole = tiles.whole(place);
    if (whole && !moments) {
      if (streamed) {
        write(t, place.view, Stream());
      } else {
        prefetch_next(tiles, place);
        write(t, place.view, Store());
      }
      continue;
    }
    transform<L>(from.row(t - first), square, tiles.c);
    const int64_t across = place.j1 - place.j0;
    if (moments && whole) moments->add(square.data, tiles.side * tiles.side, tiles.c);
    for (int64_t i = place.i0; i < place.i1; ++i) {
      real* to = place.view.at(i, place.j0);
      const real* line = square.at(i, place.j0);
      if (moments && !whole) moments->add(line, across, tiles.c);
      if (streamed && moments)
        stream_line(line, across * tiles.c, to);
      else
        copy_line(line, across * tiles.c, to);
      if (finish) finish(to, across, 0, tiles.c);
    }
  }
  if (streamed) stream_end();
}

// The number of tiles that are transformed, multiplied and transformed back together.
constexpr int64_t block = 30 / gemm_rows * gemm_rows;
// What stays in a core's L2 cache, in floats (processors with AVX-512 have at least 1 MiB), and the number of tiles if
// the filters are more than twice as large: they are read again for every block. On processors without AVX-512 larger
// blocks were not measured.
#if defined(__AVX512F__)
constexpr int64_t in_cache = 1 << 18, large_block = 2 * block;
#else
constexpr int64_t in_cache = 1 << 16, large_block = block;
#endif

// Tiles that cover p x q.
struct Grid {
  Grid(int64_t p, int64_t q) : down((p + outputs - 1) / outputs), across((q + outputs - 1) / outputs) {}
  int64_t down, across;
};

// packed = the transformed filters of w (k, r, r, c): n^2 matrices c x k, each packed for gemm_packed.
template <int r>
void pack_filters(const real* w, int64_t k, int64_t c, real* packed) {
  const Matrices<r, Storage> u(by_matrix, k, c);
  parallel_blocks(k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      transform<Filter<r>>(View<const real>{w + i * r * r * c, r * c, c}, u.row(i), c);
  });
  const int64_t size = packed_size(k, c);
  parallel_for(Scheme<r>::products, [&](int64_t e) { pack(true, k, c, u[e], c, packed + e * size); });
}

// The same for the data gradient: rotated filters (from the last tap to the first), k x c.
template <int r>
void pack_rotated_filters(const real* w, int64_t k, int64_t c, real* packed) {
  const Matrices<r, Storage> u(by_matrix, k, c);
  parallel_blocks(k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      transform<Filter<r>>(View<const real>{w + ((i + 1) * r * r - 1) * c, -r * c, -c}, u.row(i), c);
  });
  const int64_t size = packed_size(c, k);
  parallel_for(Scheme<r>::products, [&](int64_t e) { pack(false, c, k, u[e], c, packed + e * size); });
}

// y = epilogue(x convolved with packed filters). x (n, h, w, c), y (n, p, q, k).
template <int r>
void convolve(const real* x, int64_t n, int64_t h, int64_t w, int64_t c, const real* packed, real* y, int64_t p,
              int64_t q, int64_t k, int64_t padding, const Finish& finish, std::vector<Moments>* moments = nullptr) {
  constexpr int products = Scheme<r>::products;
  const Grid a(p, q);
  const int64_t size = packed_size(k, c), tiles = n * a.down * a.across;
  const Tiles<const real> from{x, h, w, c, a.down, a.across, Scheme<r>::points, outputs, padding};
  const Tiles<real> to{y, p, q, k, a.down, a.across, outputs, outputs, 0};
  const bool streamed = worth_streaming(n * p * q * k, k) && k % (Stream::vecs * lanes) == 0;
  const int64_t together = products * c * k > 2 * in_cache ? large_block : block;
  // Writes a block of tiles, and sets its part of the moments.
  const auto write = [&](const auto& product, int64_t begin, int64_t end, int64_t first, int64_t part, bool stream) {
    if (!moments) return write_tiles<EvaluateTransposed<r, outputs>>(product, begin, end, first, to, finish, stream);
    RowMoments gathered(k);
    write_tiles<EvaluateTransposed<r, outputs>>(product, begin, end, first, to, finish, stream, &gathered);
    (*moments)[static_cast<size_t>(part)] = gathered.result();
  };
  const auto parts = [&](int64_t each) {
    if (moments) moments->resize(static_cast<size_t>((tiles + each - 1) / each));
  };
  if (tiles > 4 * together) {
    parts(together);
    return parallel_blocks(tiles, together, [&](int64_t begin, int64_t end) {
      const int64_t count = end - begin;
      const Matrices<r, Scratch<real>> v(by_row, count, c), product(by_matrix, count, k);
      read_tiles<Input<r>>(from, begin, end, begin, v);
      for (int e = 0; e < products; ++e)
        gemm_packed(count, k, c, v[e], v.row_step, packed + e * size, product[e], 0, k);
      write(product, begin, end, begin, begin / together, streamed);
    });
  }
  // Few tiles: all at once, so that the filters, now the larger part, are read only once.
  const Matrices<r, Storage> v(by_row, tiles, c), product(by_matrix, tiles, k);
  const int64_t some = std::clamp<int64_t>(tiles / 8, 1, 8);
  parallel_blocks(tiles, some, [&](int64_t begin, int64_t end) { read_tiles<Input<r>>(from, begin, end, 0, v); });
  parallel_for(products,
               [&](int64_t e) { gemm_packed(tiles, k, c, v[e], v.row_step, packed + e * size, product[e], 0, k); });
  parts(some);
  parallel_blocks(tiles, some, [&](int64_t begin, int64_t end) { write(product, begin, end, 0, begin / some, false); });
}

template <int r>
void backward_x(const ConvSizes& a, const real* g, const real* w, real* dx) {
  const Storage packed(Scheme<r>::products * packed_size(a.c, a.k));
  pack_rotated_filters<r>(w, a.k, a.c, packed.data);
  convolve<r>(g, a.n, a.p, a.q, a.k, packed.data, dx, a.h, a.w, a.c, r - 1 - a.padding, Finish());
}

// The part of the tiles' transforms that stays in the L3 cache.
constexpr int64_t part = 8 * in_cache;

// Few channels: each thread has its own sums, which stay in its cache with the tiles that it transforms. Many channels:
// all threads transform a part of the tiles; then all threads add that part's products to the sums; and so on. A part
// stays in the L3 cache, but has enough tiles to pay for reading and writing the sums.
// The products read columns of v and z, so v and z are stored matrix by matrix: interleaved by rows, each step down a
// column would touch another page.
template <int r>
void backward_w(const ConvSizes& a, const real* x, const real* g, real* dw) {
  constexpr int products = Scheme<r>::products;
  const Grid grid(a.p, a.q);
  const int64_t tiles = a.n * grid.down * grid.across, size = a.k * r * r * a.c;
  auto read = [&](int64_t begin, int64_t end, int64_t first, const auto& v, const auto& z) {
    read_tiles<Input<r>>({x, a.h, a.w, a.c, grid.down, grid.across, Scheme<r>::points, outputs, a.padding}, begin, end,
                         first, v);
    read_tiles<Evaluate<r, outputs>>({g, a.p, a.q, a.k, grid.down, grid.across, outputs, outputs, 0}, begin, end, first,
                                     z);
  };
  auto add_product = [&](int64_t e, int64_t count, bool add, const auto& v, const auto& z, const auto& sum) {
    gemm(true, false, a.k, a.c, count, z[e], z.row_step, v[e], v.row_step, add, sum[e], a.c);
  };
  auto write = [&](int64_t k, const auto& sum, real* to) {
    transform<FilterTransposed<r>>(sum.row(k), View<real>{to + k * r * r * a.c, r * a.c, a.c}, a.c);
  };
  if (tiles == 0 || products * a.k * a.c <= in_cache) {
    const int64_t group = std::max<int64_t>((tiles / 64 + block - 1) / block, 4) * block,
                  groups = (tiles + group - 1) / group;
    const Storage partial(groups * size);
    parallel_for(groups, [&](int64_t i) {
      const Matrices<r, Scratch<real>> v(by_matrix, block, a.c), z(by_matrix, block, a.k), sum(by_matrix, a.k, a.c);
      const int64_t first = i * group, last = std::min(first + group, tiles);
      for (int64_t begin = first; begin < last; begin += block) {
        const int64_t end = std::min(begin + block, last);
        read(begin, end, begin, v, z);
        for (int e = 0; e < products; ++e) add_product(e, end - begin, begin > first, v, z, sum);
      }
      for (int64_t k = 0; k < a.k; ++k) write(k, sum, partial.data + i * size);
    });
    return add_in_order(groups, size, partial.data, dw);
  }
  const int64_t large = std::min(tiles, std::max<int64_t>(part / (products * (a.c + a.k)), 120) / block * block);
  const Matrices<r, Storage> v(by_matrix, large, a.c), z(by_matrix, large, a.k), sum(by_matrix, a.k, a.c);
  for (int64_t first = 0; first < tiles; first += large) {
    const int64_t count = std::min(large, tiles - first);
    parallel_blocks(count, 16, [&](int64_t begin, int64_t end) { read(first + begin, first + end, first, v, z); });
    parallel_for(products, [&](int64_t e) { add_product(e, count, first > 0, v, z, sum); });
  }
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) write(k, sum, dw);
  });
}

int64_t products_of_a_tile(const ConvSizes& a) { return (a.r + outputs - 1) * (a.r + outputs - 1); }

}  // namespace

bool winograd_applies(const ConvSizes& a) {
  return a.stride == 1 && a.r == a.s && (a.r == 3 || a.r == 5) && a.c >= 16 && a.k >= 16 && a.p >= 2 && a.q >= 2;
}
int64_t winograd_products(const ConvSizes& a, int64_t more_tiles) {
  const Grid grid(a.p, a.q);
  return products_of_a_tile(a) * (a.n * grid.down * grid.across + more_tiles);
}

int64_t winograd_filters_size(const ConvSizes& a) { return products_of_a_tile(a) * packed_size(a.k, a.c); }
void winograd_filters(const ConvSizes& a, const real* w, real* filters) {
  a.r == 3 ? pack_filters<3>(w, a.k, a.c, filters) : pack_filters<5>(w, a.k, a.c, filters);
}
void winograd_forward(const ConvSizes& a, const real* x, const real* filters, real* y, const Finish& finish,
                      std::vector<Moments>* moments) {
  a.r == 3 ? convolve<3>(x, a.n, a.h, a.w, a.c, filters, y, a.p, a.q, a.k, a.padding, finish, moments)
           : convolve<5>(x, a.n, a.h, a.w, a.c, filters, y, a.p, a.q, a.k, a.padding, finish, moments);
}
void winograd_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx) {
  a.r == 3 ? backward_x<3>(a, g, w, dx) : backward_x<5>(a, g, w, dx);
}
void winograd_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw) {
  a.r == 3 ? backward_w<3>(a, x, g, dw) : backward_w<5>(a, x, g, dw);
}

}  // namespace evenkeel
