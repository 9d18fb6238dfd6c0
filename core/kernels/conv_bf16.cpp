// A band of the padded image is rounded once, as a list of pixels. Output position (i, j) starts at pixel stride (i
// width + j), so neighbouring positions are equally far apart, and a tap is a shift: tiles are read in place, without
// a matrix of patches. Positions with j beyond the last column are computed too, and not written.
#include "core/kernels/conv_bf16.h"

#include <algorithm>
#include <vector>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/bf16.h"
#include "core/kernels/gemm.h"
#include "core/kernels/prefetch.h"
#include "core/kernels/row_moments.h"
#include "core/kernels/simd.h"

#ifndef EVENKEEL_DOUBLE
namespace evenkeel {
namespace {

// Images (n, h, w, c) with zeros around them and, `apart` > 1, between their pixels.
struct Source {
  const real* data;
  int64_t n, h, w, c;
  int64_t top, left;  // zeros before the first row and column
  int64_t apart;
};

// The correlation of a Source with k filters of r x s: p x q positions an image, `stride` pixels apart. The padding
// after a row is also the padding before the next row, and the padding below an image that above the next image.
struct Correlation {
  // A pixel's channels are padded to a multiple of `unit`.
  Correlation(const Source& x, int64_t k, int64_t r, int64_t s, int64_t stride, int64_t p, int64_t q, int64_t unit)
      : x(x),
        k(k),
        r(r),
        s(s),
        stride(stride),
        p(p),
        q(q),
        width(extent(q) + s - 1 - shared(x.left, x.w, extent(q), s)),
        channels(up(x.c, unit)) {
    const int64_t target = std::clamp<int64_t>(x.n * p * width / 8, tile_depth, positions_of_a_band);
    bands = std::max<int64_t>(1, (p * width + target - 1) / target);
    rows = std::max<int64_t>(1, (p + bands - 1) / bands);
    bands = (p + rows - 1) / rows;
    height = extent(rows) + r - 1 - (bands > 1 ? 0 : shared(x.top, x.h, extent(rows), r));
    height = up(height, stride);
    if (bands <= 1) images = std::clamp<int64_t>(target / std::max<int64_t>(1, pitch()), 1, std::max<int64_t>(1, x.n));
  }
  int64_t pitch() const { return height / stride * width; }  // positions from an image to the next
  int64_t positions() const { return up((images - 1) * pitch() + rows * width, tile_depth); }
  int64_t pixels() const { return std::max(images * height * width, (positions() - 1) * stride + (r - 1) * width + s); }
  int64_t chunks() const { return channels / tile_depth; }
  int64_t steps() const { return r * s * chunks(); }
  int64_t count() const { return (x.n + images - 1) / images * bands; }

  // Band i: `rows` rows from row `begin` on, of `images` images from image `image` on.
  struct Band {
    int64_t image, images, begin, rows;
  };
  Band operator[](int64_t i) const {
    const int64_t image = i / bands * images, begin = i % bands * rows;
    return {image, std::min(images, x.n - image), begin, std::min(rows, p - begin)};
  }

  const Source x;
  const int64_t k, r, s, stride, p, q;
  const int64_t width, channels;  // of the list of pixels
  int64_t rows = 1, bands = 1, images = 1;
  int64_t height = 0;  // rows of pixels of an image in the list
  static constexpr int64_t positions_of_a_band = 560;

 private:
  int64_t extent(int64_t n) const { return (n - 1) * stride + 1; }
  // An axis has `before` zeros of padding and then n pixels; windows of `taps` elements start at its first `starts`
  // places. Returns how much of the padding at its end can be shared with the padding before the next row or image.
  int64_t shared(int64_t before, int64_t n, int64_t starts, int64_t taps) const {
    const int64_t after = starts + taps - 1 - before - ((n - 1) * x.apart + 1);
    return std::clamp<int64_t>(std::min(before, after), 0, taps - 1);
  }
};

// to (pixels, channels) = the band's pixels, rounded, and zeros up to `pixels`.
void read_band(const Correlation& a, const Correlation::Band& band, int64_t pixels, uint16_t* to) {
  const Source& x = a.x;
  uint16_t* const end = to + pixels * a.channels;
  // The pixels of x on a row start at column `first`.
  const int64_t skipped = std::max<int64_t>(0, (-x.left + x.apart - 1) / x.apart), first = x.left + skipped * x.apart;
  const int64_t inside =
      std::clamp<int64_t>((a.width - first + x.apart - 1) / x.apart, 0, std::max<int64_t>(0, x.w - skipped));
  const bool dense = x.apart == 1 && a.channels == x.c;
  for (int64_t n = band.image; n < band.image + band.images; ++n)
    for (int64_t i = 0; i < a.height; ++i, to += a.width * a.channels) {
      const int64_t row = band.begin * a.stride + i - x.top;
      const bool there = row >= 0 && row % x.apart == 0 && row / x.apart < x.h && inside > 0;
      if (!there) {
        std::fill_n(to, a.width * a.channels, uint16_t{0});
        continue;
      }
      const real* from = x.data + ((n * x.h + row / x.apart) * x.w + skipped) * x.c;
      if (dense) {
        std::fill_n(to, first * a.channels, uint16_t{0});
        round_line(from, inside * x.c, to + first * a.channels);
        std::fill(to + (first + inside) * a.channels, to + a.width * a.channels, uint16_t{0});
        continue;
      }
      std::fill_n(to, a.width * a.channels, uint16_t{0});
      round_rows(inside, x.c, from, to + first * a.channels, x.apart * a.channels);
    }
  std::fill(to, end, uint16_t{0});
}

// Prefetches the pixels that band i reads; nothing unless i < last.
Prefetch prefetch_band(const Correlation& a, int64_t i, int64_t last, int64_t parts) {
  if (i >= last) return {};
  const Correlation::Band band = a[i];
  const Source& x = a.x;
  const auto row = [&](int64_t image, int64_t r) {
    return (image * x.h + std::clamp<int64_t>((r - x.top) / x.apart, 0, x.h)) * x.w * x.c;
  };
  const int64_t top = band.begin * a.stride, first = row(band.image, top),
                end = row(band.image + band.images - 1, top + (band.rows - 1) * a.stride + a.r);
  return {x.data + first, end - first, parts};
}

// Calls f(position in the band, row of y, run) for each run of neighbouring positions in [begin, end) that y has.
template <class F>
void for_runs(const Correlation& a, const Correlation::Band& band, int64_t begin, int64_t end, F f) {
  for (int64_t m = begin; m < end;) {
    const int64_t n = m / a.pitch(), i = m % a.pitch() / a.width, j = m % a.pitch() % a.width;
    if (n >= band.images) return;
    const int64_t run = std::min(a.q - j, end - m);
    if (i < band.rows && run > 0) f(m, ((band.image + n) * a.p + band.begin + i) * a.q + j, run);
    m += a.width - j;
  }
}

// Packed filters: for every 32 filters and every step of the sum two tiles, of 16 filters each.
constexpr int64_t tile_size = tile_side * tile_side, step_size = 2 * tile_size, block = 2 * tile_side;
Pair* tile_of(const Correlation& a, int64_t filter, int64_t step, real* filters) {
  return reinterpret_cast<Pair*>(filters) + (filter / block * a.steps() + step) * step_size +
         filter % block / tile_side * tile_size;
}
int64_t filters_size(const Correlation& a) { return up(a.k, block) / block * a.steps() * step_size; }

void correlate(const Correlation& a, const real* filters, real* y, const Finish& finish,
               std::vector<Moments>* moments = nullptr) {
  std::vector<int64_t> places;
  for (int64_t tap = 0; tap < a.r * a.s; ++tap)
    for (int64_t c = 0; c < a.chunks(); ++c)
      places.push_back((tap / a.s * a.width + tap % a.s) * a.channels / 2 + c * tile_side);
  const int64_t wide = up(a.k, block), positions = a.positions(), pixels = a.pixels();
  const bool streamed = worth_streaming(a.x.n * a.p * a.q * a.k, a.k);
  const int64_t bands = a.count(), group = std::clamp<int64_t>(bands / 16, 1, 8);
  const int64_t tasks = (bands + group - 1) / group;
  if (moments) moments->resize(static_cast<size_t>(tasks));
  parallel_for(tasks, [&](int64_t task) {
    const Tiles tiles;
    RowMoments gathered(moments ? a.k : 0);
    const Scratch<uint16_t> image(pixels * a.channels);
    const Scratch<float> sums(block * wide);
    const int64_t row = a.stride * a.channels / 2, last = std::min(bands, (task + 1) * group);
    for (int64_t b = task * group; b < last; ++b) {
      const Correlation::Band band = a[b];
      read_band(a, band, pixels, image.data);
      Prefetch next = prefetch_band(a, b + 1, last, positions / block);
      for (int64_t m = 0; m < positions; m += block) {
        next.next();
        for (int64_t j = 0; j < a.k; j += block)
          tiles.multiply(
              2, a.k - j > tile_side ? 2 : 1, a.steps(),
              {reinterpret_cast<const Pair*>(image.data) + m * row, row, tile_side * row}, places.data(),
              {reinterpret_cast<const Pair*>(filters) + j / block * a.steps() * step_size, tile_side, tile_size},
              step_size, sums.data + j, wide, false);
        for_runs(a, band, m, m + block, [&](int64_t from, int64_t to, int64_t run) {
          if (moments) gathered.add(sums.data + (from - m) * wide, run, wide);
          write_rows(sums.data + (from - m) * wide, run, a.k, wide, finish, streamed, y + to * a.k);
        });
      }
    }
    if (streamed) stream_end();
    if (moments) (*moments)[static_cast<size_t>(task)] = gathered.result();
  });
}

Correlation forward(const ConvSizes& a, const real* x, int64_t unit = tile_depth) {
  return {{x, a.n, a.h, a.w, a.c, a.padding, a.padding, 1}, a.k, a.r, a.s, a.stride, a.p, a.q, unit};
}
// dx is the correlation of g, with stride - 1 zeros between its pixels, with the filters rotated by 180 degrees.
Correlation backward(const ConvSizes& a, const real* g) {
  return {{g, a.n, a.p, a.q, a.k, a.r - 1 - a.padding, a.s - 1 - a.padding, a.stride},
          a.c,
          a.r,
          a.s,
          1,
          a.h,
          a.w,
          tile_depth};
}

}  // namespace

int64_t bf16_filters_size(const ConvSizes& a) { return filters_size(forward(a, nullptr)); }

void bf16_pack_filters(const ConvSizes& sizes, const real* w, real* filters) {
  const Correlation a = forward(sizes, nullptr);
  const int64_t taps = a.r * a.s;
  parallel_for(up(a.k, block) / tile_side, [&](int64_t strip) {
    const int64_t first = strip * tile_side;
    const Scratch<uint16_t> lines(tile_side * a.channels);
    for (int64_t tap = 0; tap < taps; ++tap) {
      std::fill_n(lines.data, tile_side * a.channels, uint16_t{0});
      for (int64_t i = 0; i < tile_side && first + i < a.k; ++i)
        round_line(w + ((first + i) * taps + tap) * sizes.c, sizes.c, lines.data + i * a.channels);
      for (int64_t c = 0; c < a.chunks(); ++c)
        transpose_pairs(reinterpret_cast<const Pair*>(lines.data) + c * tile_side, tile_side, tile_side, a.channels / 2,
                        tile_of(a, first, tap * a.chunks() + c, filters), tile_side);
    }
  });
}

void bf16_forward(const ConvSizes& a, const real* x, const real* filters, real* y, const Finish& finish,
                  std::vector<Moments>* moments) {
  correlate(forward(a, x), filters, y, finish, moments);
}

void bf16_backward_x(const ConvSizes& sizes, const real* g, const real* w, real* dx) {
  const Correlation a = backward(sizes, g);
  const int64_t taps = a.r * a.s, wide = up(a.k, block);
  const Storage filters(filters_size(a));
  parallel_for(taps * a.chunks(), [&](int64_t step) {
    const int64_t tap = taps - 1 - step / a.chunks(), first = step % a.chunks() * tile_depth;
    const Scratch<uint16_t> lines(2 * wide);
    const Scratch<Pair> pairs(wide);
    for (int64_t u = 0; u < tile_side; ++u) {
      std::fill_n(lines.data, 2 * wide, uint16_t{0});
      for (int64_t l = 0; l < 2 && first + 2 * u + l < sizes.k; ++l)
        round_line(w + ((first + 2 * u + l) * taps + tap) * a.k, a.k, lines.data + l * wide);
      pair_lines(lines.data, lines.data + wide, wide, pairs.data);
      for (int64_t j = 0; j < wide; j += tile_side)
        std::copy_n(pairs.data + j, tile_side, tile_of(a, j, step, filters.data) + u * tile_side);
    }
  });
  correlate(a, filters.data, dx, {});
}

// dw (filter, tap, channel) = the sum over positions of g (position, filter) times the pixel that the tap reads there.
// The sum runs along Pairs of positions. g is transposed. Pixels one stride apart are interleaved into Pairs, in 2 *
// stride versions: version v begins at pixel v, and each tap reads the version of its first pixel modulo 2 * stride. g
// is zero where y has no position. Its rows beyond the last filter are arbitrary, and make rows of dw that are not
// used.
void bf16_backward_w(const ConvSizes& sizes, const real* x, const real* g, real* dw) {
  const Correlation a = forward(sizes, x, tile_side);
  const int64_t taps = a.r * a.s, positions = a.positions(), filters = up(a.k, tile_side), versions = 2 * a.stride;
  const int64_t pairs = positions / 2 + ((a.r - 1) * a.width + a.s - 1) / versions;
  const int64_t pixels = a.pixels();
  // An odd number of cache lines from a row to the next, so that they are in different sets of the cache.
  const int64_t g_row = (positions / 2 + tile_side - 1) / tile_side / 2 * 2 * tile_side + tile_side;
  std::vector<int64_t> places;
  for (int64_t p = 0; p < positions / tile_depth; ++p) places.push_back(p * tile_side);

  const int64_t bands = a.count();
  const Storage sum(filters * taps * a.channels);
  sum_in_parts(bands, sum.size, sum.data, [&](int64_t first, int64_t last, real* partial) {
    const Tiles tiles;
    const Scratch<uint16_t> image(pixels * a.channels), lines(positions * filters);
    const Scratch<Pair> interleaved(versions * pairs * a.channels), g_pairs(positions / 2 * filters),
        turned(filters * g_row);
    for (int64_t b = first; b < last; ++b) {
      const Correlation::Band band = a[b];
      read_band(a, band, pixels, image.data);
      for (int64_t v = 0; v < versions; ++v) {
        // The last Pair of a later version may end beyond the image; no tap with a position reads it.
        const int64_t whole = std::clamp<int64_t>((pixels - a.stride - v + versions - 1) / versions, 0, pairs);
        const uint16_t* pixel = image.data + v * a.channels;
        Pair* const to = interleaved.data + v * pairs * a.channels;
        pair_rows(whole, a.channels, pixel, pixel + a.stride * a.channels, versions * a.channels, to, a.channels);
        std::fill(to + whole * a.channels, to + pairs * a.channels, Pair{0});
      }
      uint16_t* line = lines.data;
      for_runs(a, band, 0, positions, [&](int64_t to, int64_t from, int64_t run) {
        line = std::fill_n(line, lines.data + to * filters - line, uint16_t{0});
        round_rows(run, a.k, g + from * a.k, line, filters);
        line += run * filters;
      });
      std::fill(line, lines.data + positions * filters, uint16_t{0});
      pair_rows(positions / 2, filters, lines.data, lines.data + filters, 2 * filters, g_pairs.data, filters);
      transpose_pairs(g_pairs.data, positions / 2, filters, filters, turned.data, g_row);
      const int64_t parts = (a.k + block - 1) / block * taps;
      Prefetch next_x = prefetch_band(a, b + 1, last, parts);
      const Correlation::Band after = a[std::min(b + 1, bands - 1)];
      Prefetch next_g(g + (after.image * a.p + after.begin) * a.q * a.k,
                      b + 1 < last ? ((after.images - 1) * a.p + after.rows) * a.q * a.k : 0, parts);
      for (int64_t k = 0; k < a.k; k += block)
        for (int64_t tap = 0; tap < taps; ++tap) {
          next_x.next();
          next_g.next();
          const int64_t shift = tap / a.s * a.width + tap % a.s;
          const Pair* from = interleaved.data + (shift % versions * pairs + shift / versions) * a.channels;
          for (int64_t c = 0; c < a.x.c; c += block)
            tiles.multiply(a.k - k > tile_side ? 2 : 1, a.x.c - c > tile_side ? 2 : 1, positions / tile_depth,
                           {turned.data + k * g_row, g_row, tile_side * g_row}, places.data(),
                           {from + c, a.channels, tile_side}, tile_side * a.channels,
                           partial + (k * taps + tap) * a.channels + c, taps * a.channels, b > first);
        }
    }
  });
  parallel_blocks(a.k * taps, row_block(a.x.c), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(sum.data + i * a.channels, a.x.c, dw + i * a.x.c);
  });
}

}  // namespace evenkeel
#endif
