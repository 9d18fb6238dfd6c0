// The memory of Winograd's convolution: the tiles of an image, and the matrices of their transforms.
#pragma once
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/base/scratch.h"
#include "core/kernels/finish.h"
#include "core/kernels/max_cell.h"
#include "core/kernels/pool.h"
#include "core/kernels/prefetch.h"
#include "core/kernels/row_moments.h"
#include "core/kernels/simd.h"

namespace evenkeel::winograd {

// A square of pixels: (i, j) at data + i down + j along, its channels contiguous.
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

// A square that crosses an image's edge: rows outside are read from one line of zeros, columns outside are skipped.
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
  AsItIs at(int64_t) const { return {}; }
  Vec operator()(Vec v, const real*) const { return v; }
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

// to = epilogue(L from L^T) for each channel; finish.at(channel)(v, where) is the value to write.
template <class L, class From, class F = AsItIs, class S = Store>
void transform(const From& from, const View<real>& to, int64_t channels, F&& finish = {}, const S& store = {}) {
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
    auto last = [&]<size_t... G>(std::index_sequence<G...>) {
      return std::array{finish.at(c + static_cast<int64_t>(G) * lanes)...};
    }
    (std::make_index_sequence<group>());
    real* row = to.data + c;
    for (int i = 0; i < L::to; ++i, row += to.down) {
      Vec result[group][L::to];
#pragma GCC unroll 4
      for (int g = 0; g < group; ++g) L::line(half[g][i], result[g]);
      real* place = row;
#pragma GCC unroll 8
      for (int j = 0; j < L::to; ++j, place += to.along)
#pragma GCC unroll 4
        for (int g = 0; g < group; ++g) store(place + g * lanes, last[g](result[g][j], place + g * lanes));
    }
  }
}

// n^2 matrices of rows x columns, either one after the other or interleaved by rows: the first row of each, then the
// second of each. The layout makes writes contiguous (a store that misses the cache stalls; a load can be prefetched).
// Gaps keep addresses that are used together in different sets of the cache.
enum Order { by_matrix, by_row };
template <class S, class Memory>
struct Matrices {
  static constexpr int points = S::points, products = S::products;
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

  // The image of tile t, and its row and column among that image's tiles.
  struct Index {
    int64_t n, i, j;
  };
  Index index(int64_t t) const { return {t / (down * across), t / across % down, t % across}; }

  // Tile t, and its rows and columns inside the image.
  struct Place {
    View<Real> view;
    int64_t i0, i1, j0, j1;
  };
  Place at(int64_t t) const {
    const auto [n, i, j] = index(t);
    const int64_t top = i * pitch - offset, left = j * pitch - offset;
    return {{data + ((n * h + top) * w + left) * c, w * c, c},
            std::max<int64_t>(0, -top),
            std::min(side, h - top),
            std::max<int64_t>(0, -left),
            std::min(side, w - left)};
  }
  bool whole(const Place& p) const { return p.i0 == 0 && p.i1 == side && p.j0 == 0 && p.j1 == side; }
  View<real> square(real* copy) const { return {copy, side * c, c}; }
};

// Prefetches the rows that the tiles t in [begin, end) read.
inline Prefetch prefetch_tiles(const Tiles<const real>& tiles, int64_t begin, int64_t end, int64_t parts) {
  if (begin >= end) return {};
  const auto row = [&](int64_t t, int64_t of_tile) {
    const auto at = tiles.index(t);
    const int64_t of_image = at.i * tiles.pitch - tiles.offset + of_tile;
    return (at.n * tiles.h + std::clamp<int64_t>(of_image, 0, tiles.h)) * tiles.w * tiles.c;
  };
  return {tiles.data + row(begin, 0), row(end - 1, tiles.side) - row(begin, 0), parts};
}

// Prefetches the memory to which the next tile on the right will be written.
inline void prefetch_next(const Tiles<real>& tiles, const Tiles<real>::Place& place) {
  for (int64_t i = place.i0; i < place.i1; ++i) {
    const real* to = place.view.at(i, place.j0);
    const int64_t tile = tiles.pitch * tiles.c;
    for (int64_t k = tile; k < 2 * tile; k += cache_line) prefetch<1>(to, k);
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
    if (moments) moments->begin_rows(tiles.side * tiles.side);
    moments  ? transform<L>(from.row(t - first), to, tiles.c, *moments, store)
    : finish ? transform<L>(from.row(t - first), to, tiles.c, finish, store)
             : transform<L>(from.row(t - first), to, tiles.c, AsItIs(), store);
  };
  for (int64_t t = begin; t < end; ++t) {
    const auto place = tiles.at(t);
    if (tiles.whole(place) && (!moments || moments->has_pivot())) {
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
    for (int64_t i = place.i0; i < place.i1; ++i) {
      real* to = place.view.at(i, place.j0);
      const real* line = square.at(i, place.j0);
      if (moments) moments->add(line, across, tiles.c);
      if (streamed && moments)
        stream_line(line, across * tiles.c, to);
      else
        copy_line(line, across * tiles.c, to);
      if (finish) finish(to, across, 0, tiles.c);
    }
  }
  if (streamed) stream_end();
}

// The same, followed by max pooling of 2x2 pixels: `tiles` are of the image before pooling, tiles.data is (n, h / 2,
// w / 2, c). A tile has an even number of rows and columns, so no window needs two tiles.
template <class L, class M>
void write_pooled_tiles(const M& from, int64_t begin, int64_t end, int64_t first, const Tiles<real>& tiles,
                        const Finish& finish, PooledCells& pooled, bool streamed, RowMoments* moments) {
  static_assert(L::to % 2 == 0);
  constexpr int64_t half = L::to / 2;
  const int64_t c = tiles.c, h = tiles.h / 2, w = tiles.w / 2;
  const Scratch<real> copy(L::to * L::to * c);
  const View<real> square = tiles.square(copy.data);
  Cells nans{};
  for (int64_t t = begin; t < end; ++t) {
    finish ? transform<L>(from.row(t - first), square, c, finish) : transform<L>(from.row(t - first), square, c);
    const auto at = tiles.index(t);
    const int64_t top = at.i * half, left = at.j * half, across = std::min(half, w - left);
    for (int64_t i = 0; i < std::min(half, h - top); ++i) {
      const int64_t row = ((at.n * h + top + i) * w + left) * c;
      for (int64_t j = 0; j < across; ++j)
        for (int64_t k = 0; k < c; k += lanes) {
          MaxCell most;
          for (int cell = 0; cell < 4; ++cell) most.see(vec(square.at(2 * i + cell / 2, 2 * j + cell % 2) + k), cell);
          nans |= most.is_nan();
          const int64_t to = row + j * c + k;
          streamed ? stream(tiles.data + to, most.best) : void(vec(tiles.data + to) = most.best);
          if (!pooled.winners) continue;
          const CellBytes cells = most.bytes();
          std::memcpy(pooled.winners + to, &cells, sizeof cells);
        }
      if (moments && across > 0) moments->add(tiles.data + row, across, c);
    }
  }
  if (any(nans)) pooled.nan.store(true, std::memory_order_relaxed);
  if (streamed) stream_end();
}

}  // namespace evenkeel::winograd
