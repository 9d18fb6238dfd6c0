#include "core/ops/rearrange.h"

#include <algorithm>

#include "core/base/parallel.h"
#include "core/kernels/simd.h"

namespace evenkeel {
namespace {

constexpr int64_t tile = 16;  // a cache line of floats

// y[j][k] = x[k][j] of a whole tile, in squares of Vecs.
void transpose_tile(const real* x, int64_t x_step, real* y, int64_t y_step) {
  for (int64_t j = 0; j < tile; j += lanes)
    for (int64_t k = 0; k < tile; k += lanes) {
      Vec square[lanes];
      for (int64_t i = 0; i < lanes; ++i) square[i] = vec(x + (k + i) * x_step + j);
      transpose(square);
      for (int64_t i = 0; i < lanes; ++i) vec(y + (j + i) * y_step + k) = square[i];
    }
}

// Transposes n matrices (a, b), tile by tile, along the rows or down the columns. In a small matrix the longer way is
// faster; in one that the L2 cache does not hold, x must be read in order.
void transpose_each(const real* x, real* y, int64_t n, int64_t a, int64_t b) {
  const bool rows = b >= a || a * b > (1 << 18);
  const int64_t along = rows ? b : a, strips = ((rows ? a : b) + tile - 1) / tile;
  parallel_blocks(n * strips, row_block(tile * along), [=](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      const int64_t matrix = strip / strips * a * b, across = strip % strips * tile;
      for (int64_t t = 0; t < along; t += tile) {
        const int64_t k = rows ? across : t, j = rows ? t : across;
        const real* from = x + matrix + k * b + j;
        real* to = y + matrix + j * a + k;
        if (k + tile <= a && j + tile <= b) {
          transpose_tile(from, b, to, a);
        } else {
          for (int64_t c = 0; c < std::min(tile, b - j); ++c)
            for (int64_t r = 0; r < std::min(tile, a - k); ++r) to[c * a + r] = from[r * b + c];
        }
      }
    }
  });
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record(x.viewed(shape), {x.without_values()},
                [from = x.shape()](const Tensor& g) { return Grads{reshape(g, from)}; });
}

Tensor transpose(const Tensor& x) {
  check(x.shape().rank() == 2, "transpose: x must be (A, B), got {}", x.shape());
  Tensor y = Tensor::empty({x.dim(1), x.dim(0)});
  transpose_each(x.data(), y.mutable_data(), 1, x.dim(0), x.dim(1));
  return record(y, {x.without_values()}, [](const Tensor& g) { return Grads{transpose(g)}; });
}

Tensor to_channels_first(const Tensor& x) {
  check(x.shape().rank() == 4, "to_channels_first: x must be (N, H, W, C), got {}", x.shape());
  const Shape& s = x.shape();
  Tensor y = Tensor::empty({s[0], s[3], s[1], s[2]});
  transpose_each(x.data(), y.mutable_data(), s[0], s[1] * s[2], s[3]);
  return record(y, {x.without_values()}, [](const Tensor& g) { return Grads{to_channels_last(g)}; });
}

Tensor to_channels_last(const Tensor& x) {
  check(x.shape().rank() == 4, "to_channels_last: x must be (N, C, H, W), got {}", x.shape());
  const Shape& s = x.shape();
  Tensor y = Tensor::empty({s[0], s[2], s[3], s[1]});
  transpose_each(x.data(), y.mutable_data(), s[0], s[1], s[2] * s[3]);
  return record(y, {x.without_values()}, [](const Tensor& g) { return Grads{to_channels_first(g)}; });
}

namespace {

// A matrix to copy; its rows lie `from_step` and `to_step` apart.
struct Copy {
  int64_t columns;
  const real* from;
  int64_t from_step;
  real* to;
  int64_t to_step;
};

// Copies matrices with equal numbers of rows, row by row, so that a tensor that holds them side by side is read or
// written in order.
void copy_matrices(int64_t rows, const std::vector<Copy>& parts) {
  int64_t columns = 0;
  for (const Copy& part : parts) columns += part.columns;
  parallel_blocks(rows, row_block(columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (const auto& [width, from, from_step, to, to_step] : parts)
        std::copy_n(from + r * from_step, width, to + r * to_step);
  });
}

void copy_matrix(int64_t rows, int64_t columns, const real* from, int64_t from_step, real* to, int64_t to_step) {
  copy_matrices(rows, {{columns, from, from_step, to, to_step}});
}

void check_border(const char* op, const Shape& x, const Border& b) {
  const auto [least, most] = std::minmax({b.top, b.bottom, b.left, b.right});
  check(x.rank() == 4 && least >= 0 && most <= Shape::max_size,
        "{}: needs (N, H, W, C) and a border of 0 to 2^58, got {} and {}, {}, {}, {}", op, x, b.top, b.bottom, b.left,
        b.right);
}

}  // namespace

Tensor pad(const Tensor& x, const Border& b) {
  check_border("pad", x.shape(), b);
  const int64_t n = x.dim(0), h = x.dim(1), wc = x.dim(2) * x.dim(3), c = x.dim(3);
  Tensor y = Tensor::zeros({n, h + b.top + b.bottom, x.dim(2) + b.left + b.right, c});
  const int64_t height = y.dim(1), step = y.dim(2) * c;
  const real* in = x.data();
  real* out = y.mutable_data() + b.top * step + b.left * c;
  parallel_for(n, [=](int64_t i) { copy_matrix(h, wc, in + i * h * wc, wc, out + i * height * step, step); });
  return record(y, {x.without_values()}, [=](const Tensor& g) { return Grads{crop(g, b)}; });
}

Tensor crop(const Tensor& x, const Border& b) {
  check_border("crop", x.shape(), b);
  const int64_t n = x.dim(0), h = x.dim(1) - b.top - b.bottom, w = x.dim(2) - b.left - b.right, c = x.dim(3),
                step = x.dim(2) * c;
  check(h >= 0 && w >= 0, "crop: the border must fit into the image, got {}, {}, {}, {} of {}", b.top, b.bottom, b.left,
        b.right, x.shape());
  Tensor y = Tensor::empty({n, h, w, c});
  const real* in = x.data() + b.top * step + b.left * c;
  real* out = y.mutable_data();
  parallel_for(n, [=, height = x.dim(1)](int64_t i) {
    copy_matrix(h, w * c, in + i * height * step, step, out + i * h * w * c, w * c);
  });
  return record(y, {x.without_values()}, [=](const Tensor& g) { return Grads{pad(g, b)}; });
}

Tensor concat_channels(const std::vector<Tensor>& parts) {
  check(!parts.empty(), "concat_channels: needs at least one tensor");
  Shape shape = parts[0].shape();
  check(shape.rank() >= 1, "concat_channels: needs channels, got {}", shape);
  for (size_t i = 1; i < parts.size(); ++i) {
    check(parts[i].shape().rank() >= 1 && parts[i].shape().without_last() == shape.without_last(),
          "concat_channels: all axes but the last must agree, got {} and {}", parts[0].shape(), parts[i].shape());
    shape = shape.with_channels(shape.channels() + parts[i].channels());
  }
  Tensor y = Tensor::empty(shape);
  std::vector<int64_t> begin{0};
  std::vector<Tensor> inputs;
  std::vector<Copy> copies;
  for (const Tensor& t : parts) {
    inputs.push_back(t.without_values());
    copies.push_back({t.channels(), t.data(), t.channels(), y.mutable_data() + begin.back(), y.channels()});
    begin.push_back(begin.back() + t.channels());
  }
  copy_matrices(y.rows(), copies);
  return record(y, inputs, [inputs, begin](const Tensor& g) {
    Grads d(inputs.size());
    std::vector<Copy> slices;  // together, unless each must be an op that has a derivative
    for (size_t i = 0; i < d.size(); ++i) {
      if (!inputs[i].tracked()) continue;
      const int64_t channels = inputs[i].channels();
      d[i] = recording() ? slice_channels(g, begin[i], begin[i + 1]) : Tensor::empty(inputs[i].shape());
      if (!recording()) slices.push_back({channels, g.data() + begin[i], g.channels(), d[i].mutable_data(), channels});
    }
    copy_matrices(g.rows(), slices);
    return d;
  });
}

Tensor slice_channels(const Tensor& x, int64_t begin, int64_t end) {
  check(x.shape().rank() >= 1 && 0 <= begin && begin <= end && end <= x.channels(),
        "slice_channels: [{}, {}) must lie in the channels of {}", begin, end, x.shape());
  Tensor y = Tensor::empty(x.shape().with_channels(end - begin));
  copy_matrix(x.rows(), end - begin, x.data() + begin, x.channels(), y.mutable_data(), end - begin);
  return record(y, {x.without_values()}, [begin, channels = x.channels()](const Tensor& g) {
    return Grads{embed_channels(g, begin, channels)};
  });
}

Tensor embed_channels(const Tensor& x, int64_t begin, int64_t channels) {
  check(x.shape().rank() >= 1 && 0 <= begin && 0 <= channels && begin <= channels - x.channels(),
        "embed_channels: {} from channel {} on must fit into {} channels", x.shape(), begin, channels);
  Tensor y = Tensor::empty(x.shape().with_channels(channels));
  const int64_t own = x.channels(), behind = channels - begin - own;
  parallel_blocks(x.rows(), row_block(channels),
                  [=, in = x.data(), out = y.mutable_data()](int64_t first, int64_t last) {
                    for (int64_t r = first; r < last; ++r) {
                      real* to = std::fill_n(out + r * channels, begin, real(0));
                      std::fill_n(std::copy_n(in + r * own, own, to), behind, real(0));
                    }
                  });
  return record(y, {x.without_values()},
                [begin, end = begin + x.channels()](const Tensor& g) { return Grads{slice_channels(g, begin, end)}; });
}

namespace {

// The shape (count, ...) with x's other axes. Error if x has no axis or a row is outside [0, limit).
Shape rows_shape(const char* op, const Shape& x, const std::vector<int64_t>& rows, int64_t count, int64_t limit) {
  check(x.rank() >= 1, "{}: needs an axis of rows, got {}", op, x);
  for (const int64_t row : rows) check(row >= 0 && row < limit, "{}: rows must be in [0, {}), got {}", op, limit, row);
  Shape shape{count};
  for (int axis = 1; axis < x.rank(); ++axis) shape.push_back(x[axis]);
  return shape;
}

int64_t row_size(const Shape& shape) {
  int64_t size = 1;
  for (int axis = 1; axis < shape.rank(); ++axis) size *= shape[axis];
  return size;
}

}  // namespace

Tensor gather_rows(const Tensor& x, const std::vector<int64_t>& rows) {
  const int64_t count = static_cast<int64_t>(rows.size()), limit = x.shape().rank() ? x.dim(0) : 0;
  Tensor y = Tensor::empty(rows_shape("gather_rows", x.shape(), rows, count, limit));
  const int64_t size = row_size(y.shape());
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_blocks(count, row_block(size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(in + rows[static_cast<size_t>(i)] * size, size, out + i * size);
  });
  return record(y, {x.without_values()},
                [rows, limit](const Tensor& g) { return Grads{scatter_rows(g, rows, limit)}; });
}

Tensor scatter_rows(const Tensor& x, const std::vector<int64_t>& rows, int64_t count) {
  check(count >= 0, "scatter_rows: count must be 0 or more, got {}", count);
  Tensor y = Tensor::zeros(rows_shape("scatter_rows", x.shape(), rows, count, count));
  check(x.dim(0) == static_cast<int64_t>(rows.size()), "scatter_rows: x {} needs as many indices as rows, got {}",
        x.shape(), rows.size());
  const int64_t size = row_size(y.shape());
  const real* in = x.data();
  real* out = y.mutable_data();
  for (const int64_t row : rows) {
    for (int64_t j = 0; j < size; ++j) out[row * size + j] += in[j];
    in += size;
  }
  return record(y, {x.without_values()}, [rows](const Tensor& g) { return Grads{gather_rows(g, rows)}; });
}

}  // namespace evenkeel
