// Convolution as a matrix product of patches (rows: output positions; columns: what the filter sees there) and filters. The
// patches are never all in memory: blocks of rows that stay in cache are written, multiplied and forgotten.
#include "core/conv.h"

#include <algorithm>

#include "core/gemm.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/winograd.h"

namespace evenkeel {
namespace {

using Geometry = ConvGeometry;

int64_t rows(const Geometry& a) { return a.n * a.p * a.q; }
int64_t patch(const Geometry& a) { return a.r * a.s * a.c; }
bool is_matmul(const Geometry& a) { return a.r == 1 && a.s == 1 && a.stride == 1 && a.padding == 0; }

Geometry geometry(const char* op, const Shape& x, const Shape& w, const ConvOptions& o) {
  check(x.rank() == 4 && w.rank() == 4, "{}: needs x (N, H, W, C) and w (K, R, S, C), got {} and {}", op, x, w);
  check(x[3] == w[3], "{}: x {} has {} channels, w {} expects {}", op, x, x[3], w, w[3]);
  check(o.stride >= 1 && o.padding >= 0, "{}: stride must be at least 1 and padding at least 0, got {} and {}", op, o.stride,
        o.padding);
  check(w[1] >= 1 && w[2] >= 1 && x[1] + 2 * o.padding >= w[1] && x[2] + 2 * o.padding >= w[2],
        "{}: the kernel of {} x {} must fit into the padded image of {} x {}; x is {}, padding {}", op, w[1], w[2],
        x[1] + 2 * o.padding, x[2] + 2 * o.padding, x, o.padding);
  const int64_t p = (x[1] + 2 * o.padding - w[1]) / o.stride + 1, q = (x[2] + 2 * o.padding - w[2]) / o.stride + 1;
  return {x[0], x[1], x[2], x[3], w[0], w[1], w[2], p, q, o.stride, o.padding};
}

Geometry geometry(const char* op, const Shape& x, const Shape& w, const Shape& g, const ConvOptions& o) {
  const Geometry a = geometry(op, x, w, o);
  const Shape y{a.n, a.p, a.q, a.k};
  check(g == y, "{}: x {} and w {} make a result of {}, the cotangent is {}", op, x, w, y, g);
  return a;
}

// Winograd's transforms pay from 16 channels on either side, where they save at least half of the multiplications; transforming the
// filters costs about as much as 64 tiles do, and reading what was transformed before as much as 4.
bool use_winograd(const Geometry& a, ConvAlgorithm algorithm, int64_t filters_cost = 64) {
  check(algorithm != ConvAlgorithm::winograd || winograd_applies(a),
        "conv2d: the Winograd form needs stride 1, a kernel of 3x3 or 5x5 and at least 16 channels in and out; got stride {}, "
        "{}x{}, {} and {}",
        a.stride, a.r, a.s, a.c, a.k);
  if (algorithm != ConvAlgorithm::automatic) return algorithm == ConvAlgorithm::winograd;
  return winograd_applies(a) && 2 * winograd_products(a, filters_cost) <= rows(a) * a.r * a.s;
}

// Calls f(image row, first column inside the image, where it lies in the patch, how many numbers) for every run of
// neighbouring numbers that the patch of output position `row` shares with the image.
template <class F>
void for_runs(const Geometry& a, int64_t row, F f) {
  const int64_t n = row / (a.p * a.q), top = row / a.q % a.p * a.stride - a.padding, left = row % a.q * a.stride - a.padding;
  const int64_t s0 = std::max<int64_t>(0, -left), s1 = std::min(a.s, a.w - left);
  if (s0 >= s1) return;
  for (int64_t r = std::max<int64_t>(0, -top); r < std::min(a.r, a.h - top); ++r)
    f(((n * a.h + top + r) * a.w + left + s0) * a.c, (r * a.s + s0) * a.c, (s1 - s0) * a.c);
}

// patches (end - begin, R S C) of the output positions [begin, end).
void gather(const Geometry& a, int64_t begin, int64_t end, const real* x, real* patches) {
  for (int64_t row = begin; row < end; ++row, patches += patch(a)) {
    int64_t filled = 0;
    for_runs(a, row, [&](int64_t from, int64_t to, int64_t length) {
      std::fill(patches + filled, patches + to, real(0));
      std::copy_n(x + from, length, patches + to);
      filled = to + length;
    });
    std::fill(patches + filled, patches + patch(a), real(0));
  }
}

// Its adjoint: adds the patches to the image they came from.
void scatter(const Geometry& a, int64_t begin, int64_t end, const real* patches, real* dx) {
  for (int64_t row = begin; row < end; ++row, patches += patch(a))
    for_runs(a, row, [&](int64_t from, int64_t to, int64_t length) {
#pragma omp simd
      for (int64_t i = 0; i < length; ++i) dx[from + i] += patches[to + i];
    });
}

// Rows of patches that make 256 KiB of floats: they and the filters stay in a core's second-level cache.
int64_t row_block(const Geometry& a) { return std::clamp<int64_t>((1 << 16) / std::max<int64_t>(1, patch(a)) / 16 * 16, 16, 4096); }

// The filters as forward() reads them: transformed for Winograd, or w^T, packed.
int64_t filters_size(const Geometry& a, bool winograd) { return winograd ? winograd_filters_size(a) : packed_size(a.k, patch(a)); }
void pack_filters(const Geometry& a, bool winograd, const real* w, real* filters) {
  winograd ? winograd_filters(a, w, filters) : pack(true, a.k, patch(a), w, patch(a), filters);
}

// y (rows x K) = patches w^T, finished.
void forward(const Geometry& a, bool winograd, const real* x, const real* filters, real* y, const Finish& finish) {
  if (winograd) return winograd_forward(a, x, filters, y, finish);
  const int64_t length = patch(a);
  auto multiply = [&](const real* patches, int64_t begin, int64_t end, int64_t j0, int64_t j1) {
    gemm_packed(end - begin, a.k, length, patches, length, filters, y + begin * a.k, j0, j1);
    if (finish) finish(y + begin * a.k + j0, end - begin, j0, j1 - j0);
  };
  if (rows(a) > 4 * row_block(a))
    return parallel_blocks(rows(a), row_block(a), [&](int64_t begin, int64_t end) {
      if (is_matmul(a)) return multiply(x + begin * length, begin, end, 0, a.k);
      const Scratch<real> patches((end - begin) * length);
      gather(a, begin, end, x, patches.data);
      multiply(patches.data, begin, end, 0, a.k);
    });
  // Few rows: all patches, and then blocks of the product.
  const Storage copy(is_matmul(a) ? 0 : rows(a) * length);
  if (!is_matmul(a))
    parallel_blocks(rows(a), 16, [&](int64_t begin, int64_t end) { gather(a, begin, end, x, copy.data + begin * length); });
  const real* patches = is_matmul(a) ? x : copy.data;
  constexpr int64_t high = 8 * gemm_rows, wide = 64;
  const int64_t down = (rows(a) + high - 1) / high, across = (a.k + wide - 1) / wide;
  parallel_for(down * across, [&](int64_t i) {
    const int64_t begin = i / across * high, j = i % across * wide;
    multiply(patches + begin * length, begin, std::min(begin + high, rows(a)), j, std::min(j + wide, a.k));
  });
}

// patches = g w, added to the image. One thread an image, as neighbouring patches overlap.
void backward_x(const Geometry& a, ConvAlgorithm algorithm, const real* g, const real* w, real* dx) {
  if (use_winograd(a, algorithm)) return winograd_backward_x(a, g, w, dx);
  if (is_matmul(a)) return gemm_blocked(false, false, rows(a), a.c, a.k, g, w, dx);
  parallel_for(a.n, [&](int64_t n) {
    std::fill_n(dx + n * a.h * a.w * a.c, a.h * a.w * a.c, real(0));
    const int64_t block = std::min(row_block(a), a.p * a.q), last = (n + 1) * a.p * a.q;
    const Scratch<real> patches(block * patch(a));
    for (int64_t begin = n * a.p * a.q; begin < last; begin += block) {
      const int64_t end = std::min(begin + block, last);
      gemm(false, false, end - begin, patch(a), a.k, g + begin * a.k, a.k, w, patch(a), false, patches.data, patch(a));
      scatter(a, begin, end, patches.data, dx);
    }
  });
}

// dw (K x patch) = g^T patches: a partial sum for every group of blocks, the partial sums added in order.
void backward_w(const Geometry& a, ConvAlgorithm algorithm, const real* x, const real* g, real* dw) {
  if (use_winograd(a, algorithm)) return winograd_backward_w(a, x, g, dw);
  if (is_matmul(a)) return gemm_blocked(true, false, a.k, a.c, rows(a), g, x, dw);
  const int64_t size = a.k * patch(a), block = row_block(a), blocks = (rows(a) + block - 1) / block;
  const int64_t most = std::clamp<int64_t>((1 << 22) / std::max<int64_t>(1, size), 8, 64);
  const int64_t group = std::max<int64_t>(1, (blocks + most - 1) / most) * block,
                groups = std::max<int64_t>(1, (rows(a) + group - 1) / group);
  const Storage partial(groups * size);
  parallel_for(groups, [&](int64_t i) {
    const int64_t first = i * group, last = std::min(first + group, rows(a));
    real* sum = partial.data + i * size;
    const Scratch<real> patches(block * patch(a));
    if (first >= last) std::fill_n(sum, size, real(0));
    for (int64_t begin = first; begin < last; begin += block) {
      const int64_t end = std::min(begin + block, last);
      gather(a, begin, end, x, patches.data);
      gemm(true, false, a.k, patch(a), end - begin, g + begin * a.k, a.k, patches.data, patch(a), begin > first, sum, patch(a));
    }
  });
  add_in_order(groups, size, partial.data, dw);
}

}  // namespace

// y is linear in x and in w, so each of the three ops has the other two as derivatives.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options, const Epilogue& then) {
  const Geometry a = geometry("conv2d", x.shape(), w.shape(), options);
  if (!then.differentiable() && recording()) return then(conv2d(x, w, options));
  Tensor y = Tensor::empty({a.n, a.p, a.q, a.k});
  const bool winograd = use_winograd(a, options.algorithm);
  const Storage filters(filters_size(a, winograd));
  pack_filters(a, winograd, w.data(), filters.data);
  forward(a, winograd, x.data(), filters.data, y.data(), Finish(then, y));
  std::vector<Tensor> inputs{x, w};
  then.append_inputs(inputs);
  return record(y, inputs, [=](const Tensor& out, const Tensor& g) {
    if (recording() && !then.nothing())
      return pull_back([&](const std::vector<Tensor>& in) { return then.with_inputs(in, 2)(conv2d(in[0], in[1], options)); }, inputs, g);
    const Grads rest = then.backward(out, g);
    Grads d{x.tracked() ? conv2d_dx(rest[0], w, x.shape(), options) : Tensor(),
            w.tracked() ? conv2d_dw(x, rest[0], w.shape(), options) : Tensor()};
    d.insert(d.end(), rest.begin() + 1, rest.end());
    return d;
  });
}

Tensor PreparedFilters::operator()(const Tensor& x, const Epilogue& then) {
  const Geometry a = geometry("conv2d", x.shape(), w_.shape(), options_);
  const bool winograd = use_winograd(a, options_.algorithm, 4);
  if (!packed_ || winograd != winograd_) {
    packed_ = std::make_shared<Storage>(filters_size(a, winograd));
    pack_filters(a, winograd, w_.data(), packed_->data);
    winograd_ = winograd;
  }
  Tensor y = Tensor::empty({a.n, a.p, a.q, a.k});
  forward(a, winograd, x.data(), packed_->data, y.data(), Finish(then, y));
  return record(y, {x}, [](const Tensor&, const Tensor&) -> Grads {
    fail(Fault::failed, "conv2d: filters prepared for inference have no gradient");
  });
}

Tensor conv2d_dx(const Tensor& g, const Tensor& w, const Shape& x_shape, const ConvOptions& options) {
  const Geometry a = geometry("conv2d_dx", x_shape, w.shape(), g.shape(), options);
  Tensor dx = Tensor::empty(x_shape);
  backward_x(a, options.algorithm, g.data(), w.data(), dx.data());
  return record(dx, {g, w}, [=](const Tensor&, const Tensor& h) {
    return Grads{g.tracked() ? conv2d(h, w, options) : Tensor(), w.tracked() ? conv2d_dw(h, g, w.shape(), options) : Tensor()};
  });
}

Tensor conv2d_dw(const Tensor& x, const Tensor& g, const Shape& w_shape, const ConvOptions& options) {
  const Geometry a = geometry("conv2d_dw", x.shape(), w_shape, g.shape(), options);
  Tensor dw = Tensor::empty(w_shape);
  backward_w(a, options.algorithm, x.data(), g.data(), dw.data());
  return record(dw, {x, g}, [=](const Tensor&, const Tensor& h) {
    return Grads{x.tracked() ? conv2d_dx(g, h, x.shape(), options) : Tensor(), g.tracked() ? conv2d(x, h, options) : Tensor()};
  });
}

}  // namespace evenkeel
