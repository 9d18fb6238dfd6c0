// Convolution as a matrix product of patches (rows: output positions; columns: filter taps) and filters (implicit
// GEMM). No patch matrix is written: in a zero-padded image, the address of a patch's element is the sum of two
// offsets, one for the position and one for the tap. The image is processed in bands that fit into the cache.
#include "core/kernels/conv.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/bf16.h"
#include "core/kernels/conv_bf16.h"
#include "core/kernels/conv_groups.h"
#include "core/kernels/gemm.h"
#include "core/kernels/row_moments.h"
#include "core/kernels/winograd.h"

namespace evenkeel {
namespace {

int64_t rows(const ConvSizes& a) { return a.n * a.p * a.q; }
int64_t patch(const ConvSizes& a) { return a.r * a.s * a.c; }
bool is_matmul(const ConvSizes& a) { return a.r == 1 && a.s == 1 && a.stride == 1 && a.padding == 0; }

// Offsets of the elements of a block (down, across, channels) in an image (.., width, depth), in order. The block
// starts at offset `first`. Its neighbouring rows are `step` rows of the image apart; columns likewise.
using Places = std::vector<int64_t>;
Places places(int64_t down, int64_t across, int64_t channels, int64_t width, int64_t depth, int64_t step,
              int64_t first = 0) {
  Places all;
  all.reserve(static_cast<size_t>(down * across * channels));
  for (int64_t i = 0; i < down; ++i)
    for (int64_t j = 0; j < across; ++j)
      for (int64_t c = 0; c < channels; ++c) all.push_back((i * width + j) * step * depth + first + c);
  return all;
}

// Cuts the rows of images into bands of about the given number of positions.
struct Bands {
  Bands(int64_t images, int64_t rows, int64_t columns, int64_t positions)
      : rows(rows),
        height(std::clamp<int64_t>(positions / std::max<int64_t>(1, columns), 1, std::max<int64_t>(1, rows))),
        each((rows + height - 1) / height),
        count(images * each) {}
  struct Band {
    int64_t image, begin, rows;
  };
  Band operator[](int64_t i) const {
    const int64_t begin = i % each * height;
    return {i / each, begin, std::min(height, rows - begin)};
  }
  int64_t rows, height, each, count;  // each: bands of an image
};
constexpr int64_t positions_of_a_band = 256;  // a band and its input fit into a core's L2 cache
bool few_rows(const ConvSizes& a) { return rows(a) <= 4 * positions_of_a_band; }

// Copies the rows [top, top + rows) and columns [left, left + width) of an image (h, w, c), with zeros outside of it.
void read(const real* image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t rows, int64_t left, int64_t width,
          real* to) {
  const int64_t begin = std::clamp<int64_t>(-left, 0, width), end = std::clamp(w - left, begin, width);
  for (int64_t i = top; i < top + rows; ++i, to += width * c) {
    const bool inside = 0 <= i && i < h && begin < end;
    std::fill(to, to + (inside ? begin : width) * c, real(0));
    if (!inside) continue;
    std::copy_n(image + (i * w + left + begin) * c, (end - begin) * c, to + begin * c);
    std::fill(to + end * c, to + width * c, real(0));
  }
}

// The part of x that a band of output positions reads. `positions`: offset of each position's patch; `taps`: offsets of
// the elements within a patch.
struct ReceptiveField {
  ReceptiveField(const ConvSizes& a, const Bands& bands)
      : width((a.q - 1) * a.stride + a.s),
        positions(places(bands.height, a.q, 1, width, a.c, a.stride)),
        taps(places(a.r, a.s, a.c, width, a.c, 1)) {}
  int64_t rows(const ConvSizes& a, int64_t band_rows) const { return (band_rows - 1) * a.stride + a.r; }
  int64_t size(const ConvSizes& a, const Bands& bands) const { return rows(a, bands.height) * width * a.c; }
  void read(const ConvSizes& a, const Bands::Band& band, const real* x, real* to) const {
    evenkeel::read(x + band.image * a.h * a.w * a.c, a.h, a.w, a.c, band.begin * a.stride - a.padding,
                   rows(a, band.rows), -a.padding, width, to);
  }
  const int64_t width;
  const Places positions, taps;
};

}  // namespace

int64_t conv_filters_size(const ConvSizes& a, ConvForm form) {
  if (a.groups > 1) return grouped_filters_size(a, form);
  if constexpr (bf16_exists)
    if (form == ConvForm::bf16) return bf16_filters_size(a);
  return form == ConvForm::direct ? packed_size(a.k, patch(a)) : winograd_filters_size(a, form);
}
void conv_pack_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters) {
  if (a.groups > 1) return grouped_pack_filters(a, form, w, filters);
  if constexpr (bf16_exists)
    if (form == ConvForm::bf16) return bf16_pack_filters(a, w, filters);
  form == ConvForm::direct ? pack(true, a.k, patch(a), w, patch(a), filters) : winograd_filters(a, form, w, filters);
}

bool conv_gathers_moments(const ConvSizes& a, ConvForm form) {
  return a.groups == 1 && a.k % lanes == 0 && (form != ConvForm::direct || !few_rows(a));
}
bool conv_pools(const ConvSizes& a, ConvForm form) {
  return a.groups == 1 && form != ConvForm::direct && form != ConvForm::bf16 && a.k % lanes == 0;
}

// y (positions x K) = epilogue(patches w^T). With few positions the columns are cut too, so that all threads have work.
// A large y, or one whose moments are asked for, is computed a band at a time in scratch.
void conv_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y, const Finish& finish,
                  std::vector<Moments>* moments, PooledCells* pooled) {
  if (a.groups > 1) return grouped_forward(a, form, x, filters, y, finish);
  if constexpr (bf16_exists)
    if (form == ConvForm::bf16) return bf16_forward(a, x, filters, y, finish, moments);
  if (form != ConvForm::direct) return winograd_forward(a, form, x, filters, y, finish, moments, pooled);
  const bool few = few_rows(a), streamed = !few && worth_streaming(rows(a) * a.k, a.k), apart = streamed || moments;
  const int64_t wide = few ? 64 : std::max<int64_t>(1, a.k), across = (a.k + wide - 1) / wide;
  const Bands bands(a.n, a.p, a.q, few ? 96 : positions_of_a_band);
  const ReceptiveField field(a, bands);
  if (moments) moments->resize(static_cast<size_t>(bands.count));
  parallel_for(bands.count * across, [&](int64_t i) {
    const Bands::Band band = bands[i / across];
    const int64_t count = band.rows * a.q, begin = i % across * wide, end = std::min(begin + wide, a.k);
    const Scratch<real> sums(apart ? count * a.k : 0);
    real *const place = y + (band.image * a.p + band.begin) * a.q * a.k, *const to = apart ? sums.data : place;
    if (is_matmul(a)) {
      gemm_packed(count, a.k, a.c, x + (band.image * a.p + band.begin) * a.q * a.c, a.c, filters, to, begin, end);
    } else {
      const Scratch<real> image(field.size(a, bands));
      field.read(a, band, x, image.data);
      gemm_packed(count, a.k, patch(a), {image.data, field.positions.data(), field.taps.data()}, filters, false, to,
                  begin, end);
    }
    if (!apart) {
      if (finish) finish(to + begin, count, begin, end - begin);
      return;
    }
    if (moments) {
      constexpr int64_t some = 32;
      RowMoments gathered(a.k);
      for (int64_t r = 0; r < count; r += some) gathered.add(to + r * a.k, std::min(some, count - r), a.k);
      (*moments)[static_cast<size_t>(i)] = gathered.result();
    }
    write_rows(to, count, a.k, a.k, finish, streamed, place);
    if (streamed) stream_end();
  });
}

namespace {

// Input row u*stride + phase is read by output row u + shift - t through filter row first + t*stride, for t < taps. The
// same holds for columns.
struct Phase {
  Phase(const ConvSizes& a, int64_t phase, int64_t length)
      : phase(phase),
        first((phase + a.padding) % a.stride),
        shift((phase + a.padding) / a.stride),
        taps(std::max<int64_t>(0, length - first + a.stride - 1) / a.stride) {}
  int64_t phase, first, shift, taps;
};

// The part of dy that a band of input positions reads, for one phase of rows and one of columns: dx of a phase is dy
// convolved with that phase's filter taps, in reverse.
struct BackwardField {
  explicit BackwardField(const ConvSizes& a)
      : top(Phase(a, 0, a.r).shift - (a.r - 1) / a.stride),
        left(Phase(a, 0, a.s).shift - (a.s - 1) / a.stride),
        more(Phase(a, a.stride - 1, 1).shift - top),
        width((a.w + a.stride - 1) / a.stride + Phase(a, a.stride - 1, 1).shift - left) {}
  int64_t top, left;    // the first row and column of y that position 0 reads
  int64_t more, width;  // rows that are read beyond the positions' own; columns that are read
};

struct PhasePair {
  PhasePair(const ConvSizes& a, const BackwardField& field, int64_t i, int64_t j, const real* w)
      : down(a, i, a.r),
        across(a, j, a.s),
        taps(places(down.taps, across.taps, a.k, field.width, a.k, -1,
                    ((down.shift - field.top) * field.width + across.shift - field.left) * a.k)),
        filters(packed_size(a.c, length())) {
    const Storage lines(length() * a.c);
    real* to = lines.data;
    for (int64_t r = 0; r < down.taps; ++r)
      for (int64_t s = 0; s < across.taps; ++s)
        for (int64_t k = 0; k < a.k; ++k, to += a.c)
          std::copy_n(w + ((k * a.r + down.first + r * a.stride) * a.s + across.first + s * a.stride) * a.c, a.c, to);
    pack(false, a.c, length(), lines.data, a.c, filters.data);
  }
  int64_t length() const { return static_cast<int64_t>(taps.size()); }
  Phase down, across;
  Places taps;
  Storage filters;  // (taps, K, C), packed
};

}  // namespace

void conv_backward_x(const ConvSizes& a, ConvForm form, const real* g, const real* w, real* dx) {
  if (a.groups > 1) return grouped_backward_x(a, form, g, w, dx);
  if (form == ConvForm::winograd) return winograd_backward_x(a, g, w, dx);
  if constexpr (bf16_exists)
    if (form == ConvForm::bf16) return bf16_backward_x(a, g, w, dx);
  if (is_matmul(a)) return gemm_blocked(false, false, rows(a), a.c, a.k, g, w, dx);
  const BackwardField field(a);
  std::deque<PhasePair> pairs;
  for (int64_t i = 0; i < std::min(a.stride, a.h); ++i)
    for (int64_t j = 0; j < std::min(a.stride, a.w); ++j) pairs.emplace_back(a, field, i, j, w);
  const int64_t columns = (a.w + a.stride - 1) / a.stride;  // of a phase
  const Bands bands(a.n, (a.h + a.stride - 1) / a.stride, columns, positions_of_a_band);
  const Places positions = places(bands.height, columns, 1, field.width, a.k, 1);
  parallel_for(bands.count, [&](int64_t b) {
    const Bands::Band band = bands[b];
    const int64_t count = band.rows * columns;
    const Scratch<real> image((bands.height + field.more) * field.width * a.k), product(count * a.c);
    read(g + band.image * a.p * a.q * a.k, a.p, a.q, a.k, band.begin + field.top, band.rows + field.more, field.left,
         field.width, image.data);
    for (const PhasePair& pair : pairs) {
      gemm_packed(count, a.c, pair.length(), {image.data, positions.data(), pair.taps.data()}, pair.filters.data, false,
                  product.data, 0, a.c);
      const real* from = product.data;
      for (int64_t i = band.begin * a.stride + pair.down.phase; i < std::min(a.h, (band.begin + band.rows) * a.stride);
           i += a.stride, from += columns * a.c)
        for (int64_t j = pair.across.phase, v = 0; j < a.w; j += a.stride, ++v) {
          real* const to = dx + ((band.image * a.h + i) * a.w + j) * a.c;
          a.c < lanes ? void(std::copy_n(from + v * a.c, a.c, to)) : copy_line(from + v * a.c, a.c, to);
        }
    }
  });
}

// dw^T (patch x K) = patches^T g, a sum over bands.
void conv_backward_w(const ConvSizes& a, ConvForm form, const real* x, const real* g, real* dw) {
  if (a.groups > 1) return grouped_backward_w(a, form, x, g, dw);
  if (form == ConvForm::winograd) return winograd_backward_w(a, x, g, dw);
  if constexpr (bf16_exists)
    if (form == ConvForm::bf16) return bf16_backward_w(a, x, g, dw);
  if (is_matmul(a)) return gemm_blocked(true, false, a.k, a.c, rows(a), g, x, dw);
  const Bands bands(a.n, a.p, a.q, positions_of_a_band);
  const ReceptiveField field(a, bands);
  const Storage sum(a.k * patch(a));
  sum_in_parts(bands.count, sum.size, sum.data, [&](int64_t first, int64_t last, real* partial) {
    const Scratch<real> image(field.size(a, bands)), packed(packed_size(a.k, bands.height * a.q));
    for (int64_t b = first; b < last; ++b) {
      const Bands::Band band = bands[b];
      const int64_t count = band.rows * a.q;
      field.read(a, band, x, image.data);
      pack(false, a.k, count, g + (band.image * a.p + band.begin) * a.q * a.k, a.k, packed.data);
      gemm_packed(patch(a), a.k, count, {image.data, field.taps.data(), field.positions.data()}, packed.data, b > first,
                  partial, 0, a.k);
    }
  });
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t t = 0; t < patch(a); ++t) dw[k * patch(a) + t] = sum.data[t * a.k + k];
  });
}

}  // namespace evenkeel
