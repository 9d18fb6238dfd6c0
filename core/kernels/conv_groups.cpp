#include "core/kernels/conv_groups.h"

#include <algorithm>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernels/conv.h"
#include "core/kernels/gemm.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

bool is_depthwise(const ConvSizes& a) { return a.c == 1 && a.k == 1; }

ConvSizes one_group(ConvSizes a) {
  a.groups = 1;
  return a;
}
int64_t inputs(const ConvSizes& a) { return a.n * a.h * a.w; }
int64_t outputs(const ConvSizes& a) { return a.n * a.p * a.q; }
int64_t weights(const ConvSizes& a) { return a.k * a.r * a.s * a.c; }  // of a group

// Copies the columns [begin, begin + count) of a matrix (rows, width) into a contiguous matrix, and back.
void take_columns(const real* from, int64_t rows, int64_t width, int64_t begin, int64_t count, real* to) {
  parallel_blocks(rows, row_block(count), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) std::copy_n(from + i * width + begin, count, to + i * count);
  });
}
void put_columns(const real* from, int64_t rows, int64_t width, int64_t begin, int64_t count, real* to) {
  parallel_blocks(rows, row_block(count), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) std::copy_n(from + i * count, count, to + i * width + begin);
  });
}

// to (columns, rows) = from^T
void transpose(const real* from, int64_t rows, int64_t columns, real* to) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

// --- Depthwise: nested loops over positions, channels and taps. w (R, S, channels) ---

// A window of `length` taps starts at `first` on an axis of `extent` elements: its taps inside the axis are [begin,
// end).
struct Inside {
  Inside(int64_t first, int64_t length, int64_t extent)
      : begin(std::max<int64_t>(0, -first)), end(std::min(length, extent - first)) {}
  int64_t begin, end;
};

// Calls f(c, load, store) for Vecs of channels, then for each remaining channel; load and store access memory at that
// width.
template <class F>
void for_channels(int64_t channels, F f) {
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes)
    f(
        c, [](const real* p) { return Vec(vec(p)); }, [](Vec v, real* p) { vec(p) = v; });
  for (; c < channels; ++c)
    f(
        c, [](const real* p) { return *p; }, [](real v, real* p) { *p = v; });
}

void depthwise_forward(const ConvSizes& a, const real* x, const real* w, real* y, const Finish& finish) {
  const int64_t channels = a.groups;
  parallel_for(a.n * a.p, [&](int64_t row) {
    const int64_t top = row % a.p * a.stride - a.padding;
    const Inside down(top, a.r, a.h);
    const real* image = x + row / a.p * a.h * a.w * channels;
    real* to = y + row * a.q * channels;
    for (int64_t q = 0; q < a.q; ++q) {
      const int64_t left = q * a.stride - a.padding;
      const Inside across(left, a.s, a.w);
      for_channels(channels, [&](int64_t c, auto load, auto store) {
        decltype(load(x)) sum{};
        for (int64_t r = down.begin; r < down.end; ++r)
          for (int64_t s = across.begin; s < across.end; ++s)
            sum += load(image + ((top + r) * a.w + left + s) * channels + c) * load(w + (r * a.s + s) * channels + c);
        store(sum, to + q * channels + c);
      });
    }
    if (finish) finish(to, a.q, 0, channels);
  });
}

// Input row i is read by output row p through filter row r where p stride + r = i + padding; columns likewise.
void depthwise_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx) {
  const int64_t channels = a.groups;
  parallel_for(a.n * a.h, [&](int64_t row) {
    const int64_t down = row % a.h + a.padding;
    const real* image = g + row / a.h * a.p * a.q * channels;
    for (int64_t j = 0; j < a.w; ++j) {
      const int64_t across = j + a.padding, first_s = across % a.stride, first_q = across / a.stride;
      for_channels(channels, [&](int64_t c, auto load, auto store) {
        decltype(load(g)) sum{};
        for (int64_t r = down % a.stride, p = down / a.stride; r < a.r && p >= 0; r += a.stride, --p) {
          if (p >= a.p) continue;
          for (int64_t s = first_s, q = first_q; s < a.s && q >= 0; s += a.stride, --q)
            if (q < a.q) sum += load(image + (p * a.q + q) * channels + c) * load(w + (r * a.s + s) * channels + c);
        }
        store(sum, dx + (row * a.w + j) * channels + c);
      });
    }
  });
}

// dw (R, S, channels), a sum over output rows.
void depthwise_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw) {
  const int64_t channels = a.groups, rows = a.n * a.p, size = a.r * a.s * channels;
  sum_in_parts(rows, size, dw, [&](int64_t first, int64_t last, real* sums) {
    std::fill_n(sums, size, real(0));
    for (int64_t row = first; row < last; ++row) {
      const int64_t top = row % a.p * a.stride - a.padding;
      const Inside down(top, a.r, a.h);
      const real *image = x + row / a.p * a.h * a.w * channels, *from = g + row * a.q * channels;
      for (int64_t r = down.begin; r < down.end; ++r)
        for (int64_t s = 0; s < a.s; ++s) {
          // The output columns q whose input column q stride + s - padding lies inside x.
          const int64_t begin = std::max<int64_t>(0, (a.padding - s + a.stride - 1) / a.stride),
                        end = std::min(a.q, (a.w + a.padding - s + a.stride - 1) / a.stride);
          for_channels(channels, [&](int64_t c, auto load, auto store) {
            decltype(load(x)) sum{};
            for (int64_t q = begin; q < end; ++q)
              sum += load(from + q * channels + c) *
                     load(image + ((top + r) * a.w + q * a.stride + s - a.padding) * channels + c);
            real* to = sums + (r * a.s + s) * channels + c;
            store(load(to) + sum, to);
          });
        }
    }
  });
}

}  // namespace

int64_t grouped_filters_size(const ConvSizes& a, ConvForm form) {
  return is_depthwise(a) ? a.groups * a.r * a.s : a.groups * conv_filters_size(one_group(a), form);
}

void grouped_pack_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters) {
  if (is_depthwise(a)) return transpose(w, a.groups, a.r * a.s, filters);
  const ConvSizes one = one_group(a);
  for (int64_t i = 0; i < a.groups; ++i)
    conv_pack_filters(one, form, w + i * weights(a), filters + i * conv_filters_size(one, form));
}

void grouped_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y,
                     const Finish& finish) {
  if (is_depthwise(a)) return depthwise_forward(a, x, filters, y, finish);
  const ConvSizes one = one_group(a);
  const int64_t rows = outputs(a), channels = a.k * a.groups;
  const Storage in(inputs(a) * a.c), out(rows * a.k);
  for (int64_t i = 0; i < a.groups; ++i) {
    take_columns(x, inputs(a), a.c * a.groups, i * a.c, a.c, in.data);
    conv_forward(one, form, in.data, filters + i * conv_filters_size(one, form), out.data, {});
    put_columns(out.data, rows, channels, i * a.k, a.k, y);
  }
  if (!finish) return;
  parallel_blocks(rows, row_block(channels),
                  [&](int64_t first, int64_t last) { finish(y + first * channels, last - first, 0, channels); });
}

void grouped_backward_x(const ConvSizes& a, ConvForm form, const real* g, const real* w, real* dx) {
  if (is_depthwise(a)) {
    const Storage filters(a.groups * a.r * a.s);
    transpose(w, a.groups, a.r * a.s, filters.data);
    return depthwise_backward_x(a, g, filters.data, dx);
  }
  const Storage in(inputs(a) * a.c), out(outputs(a) * a.k);
  for (int64_t i = 0; i < a.groups; ++i) {
    take_columns(g, outputs(a), a.k * a.groups, i * a.k, a.k, out.data);
    conv_backward_x(one_group(a), form, out.data, w + i * weights(a), in.data);
    put_columns(in.data, inputs(a), a.c * a.groups, i * a.c, a.c, dx);
  }
}

void grouped_backward_w(const ConvSizes& a, ConvForm form, const real* x, const real* g, real* dw) {
  if (is_depthwise(a)) {
    const Storage sum(a.groups * a.r * a.s);
    depthwise_backward_w(a, x, g, sum.data);
    return transpose(sum.data, a.r * a.s, a.groups, dw);
  }
  const Storage in(inputs(a) * a.c), out(outputs(a) * a.k);
  for (int64_t i = 0; i < a.groups; ++i) {
    take_columns(x, inputs(a), a.c * a.groups, i * a.c, a.c, in.data);
    take_columns(g, outputs(a), a.k * a.groups, i * a.k, a.k, out.data);
    conv_backward_w(one_group(a), form, in.data, out.data, dw + i * weights(a));
  }
}

}  // namespace evenkeel
