// Convolution as a matrix product of patches (rows: output positions; columns: what the filter sees there) and filters. The patches
// are never written: in an image with zeros around it an element of one lies at the sum of two numbers, one for the position and one
// for the place in the filter, and the product reads it there. The image is taken in bands that stay in cache.
#include "core/ops/conv.h"

#include <algorithm>
#include <deque>

#include "core/kernels/gemm.h"
#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernels/winograd.h"

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
        "conv2d: the Winograd form needs stride 1, a kernel of 3x3 or 5x5, at least 16 channels in and out and a result of "
        "at least 2x2; got stride {}, {}x{}, {} and {}, and {}x{}",
        a.stride, a.r, a.s, a.c, a.k, a.p, a.q);
  if (algorithm != ConvAlgorithm::automatic) return algorithm == ConvAlgorithm::winograd;
  return winograd_applies(a) && 2 * winograd_products(a, filters_cost) <= rows(a) * a.r * a.s;
}

// Where the elements of a (down, across, channels) lie, in order, in an image of (.., width, depth), if neighbouring rows and columns
// of it are `step` of the image's apart and its first element is at `first`.
using Places = std::vector<int64_t>;
Places places(int64_t down, int64_t across, int64_t channels, int64_t width, int64_t depth, int64_t step, int64_t first = 0) {
  Places all;
  all.reserve(static_cast<size_t>(down * across * channels));
  for (int64_t i = 0; i < down; ++i)
    for (int64_t j = 0; j < across; ++j)
      for (int64_t c = 0; c < channels; ++c) all.push_back((i * width + j) * step * depth + first + c);
  return all;
}

// Rows of images, cut into bands of about so many positions.
struct Bands {
  Bands(int64_t images, int64_t rows, int64_t columns, int64_t positions)
      : rows(rows), height(std::clamp<int64_t>(positions / std::max<int64_t>(1, columns), 1, std::max<int64_t>(1, rows))),
        each((rows + height - 1) / height), count(images * each) {}
  struct Band {
    int64_t image, begin, rows;
  };
  Band operator[](int64_t i) const {
    const int64_t begin = i % each * height;
    return {i / each, begin, std::min(height, rows - begin)};
  }
  int64_t rows, height, each, count;  // each: bands of an image
};
constexpr int64_t positions_of_a_band = 256;  // they and what they see stay in a core's second-level cache

// to = the rows [top, top + rows) and columns [left, left + width) of an image (h, w, c), with zeros outside of it.
void read(const real* image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t rows, int64_t left, int64_t width, real* to) {
  const int64_t begin = std::clamp<int64_t>(-left, 0, width), end = std::clamp(w - left, begin, width);
  for (int64_t i = top; i < top + rows; ++i, to += width * c) {
    const bool inside = 0 <= i && i < h && begin < end;
    std::fill(to, to + (inside ? begin : width) * c, real(0));
    if (!inside) continue;
    std::copy_n(image + (i * w + left + begin) * c, (end - begin) * c, to + begin * c);
    std::fill(to + end * c, to + width * c, real(0));
  }
}

// What the positions of bands of y see of x, and where.
struct Seen {
  Seen(const Geometry& a, const Bands& bands)
      : width((a.q - 1) * a.stride + a.s), positions(places(bands.height, a.q, 1, width, a.c, a.stride)),
        taps(places(a.r, a.s, a.c, width, a.c, 1)) {}
  int64_t rows(const Geometry& a, int64_t band_rows) const { return (band_rows - 1) * a.stride + a.r; }
  int64_t size(const Geometry& a, const Bands& bands) const { return rows(a, bands.height) * width * a.c; }
  void read(const Geometry& a, const Bands::Band& band, const real* x, real* to) const {
    evenkeel::read(x + band.image * a.h * a.w * a.c, a.h, a.w, a.c, band.begin * a.stride - a.padding, rows(a, band.rows), -a.padding, width, to);
  }
  const int64_t width;
  const Places positions, taps;
};

// The filters as forward() reads them: transformed for Winograd, or w^T, packed.
int64_t filters_size(const Geometry& a, bool winograd) { return winograd ? winograd_filters_size(a) : packed_size(a.k, patch(a)); }
void pack_filters(const Geometry& a, bool winograd, const real* w, real* filters) {
  winograd ? winograd_filters(a, w, filters) : pack(true, a.k, patch(a), w, patch(a), filters);
}

// y (positions x K) = patches w^T, finished. Of few positions the columns are cut as well, for the threads' sake.
void forward(const Geometry& a, bool winograd, const real* x, const real* filters, real* y, const Finish& finish) {
  if (winograd) return winograd_forward(a, x, filters, y, finish);
  const bool few = rows(a) <= 4 * positions_of_a_band;
  const int64_t wide = few ? 64 : std::max<int64_t>(1, a.k), across = (a.k + wide - 1) / wide;
  const Bands bands(a.n, a.p, a.q, few ? 96 : positions_of_a_band);
  const Seen seen(a, bands);
  parallel_for(bands.count * across, [&](int64_t i) {
    const Bands::Band band = bands[i / across];
    const int64_t count = band.rows * a.q, begin = i % across * wide, end = std::min(begin + wide, a.k);
    real* to = y + (band.image * a.p + band.begin) * a.q * a.k;
    if (is_matmul(a)) {
      gemm_packed(count, a.k, a.c, x + (band.image * a.p + band.begin) * a.q * a.c, a.c, filters, to, begin, end);
    } else {
      const Scratch<real> image(seen.size(a, bands));
      seen.read(a, band, x, image.data);
      gemm_packed(count, a.k, patch(a), {image.data, seen.positions.data(), seen.taps.data()}, filters, false, to, begin, end);
    }
    if (finish) finish(to + begin, count, begin, end - begin);
  });
}

// The rows of x (or columns) whose number is u stride + phase, u = 0, 1, ...: through the filters' rows first, first + stride, ..., `taps`
// of them, they are seen by y's rows u + shift, u + shift - 1, ...
struct Phase {
  Phase(const Geometry& a, int64_t phase, int64_t length)
      : phase(phase), first((phase + a.padding) % a.stride), shift((phase + a.padding) / a.stride),
        taps(std::max<int64_t>(0, length - first + a.stride - 1) / a.stride) {}
  int64_t phase, first, shift, taps;
};

// What the positions of x see of y, a phase of rows and one of columns at a time: the convolution of dy with the filters' taps of these
// phases, in reverse.
struct SeenBack {
  explicit SeenBack(const Geometry& a)
      : top(Phase(a, 0, a.r).shift - (a.r - 1) / a.stride), left(Phase(a, 0, a.s).shift - (a.s - 1) / a.stride),
        more(Phase(a, a.stride - 1, 1).shift - top), width((a.w + a.stride - 1) / a.stride + Phase(a, a.stride - 1, 1).shift - left) {}
  int64_t top, left;    // the first row and column of y that position 0 sees
  int64_t more, width;  // rows seen besides those of the positions; columns seen
};

struct PhasePair {
  PhasePair(const Geometry& a, const SeenBack& seen, int64_t i, int64_t j, const real* w)
      : down(a, i, a.r), across(a, j, a.s),
        taps(places(down.taps, across.taps, a.k, seen.width, a.k, -1, ((down.shift - seen.top) * seen.width + across.shift - seen.left) * a.k)),
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

void backward_x(const Geometry& a, ConvAlgorithm algorithm, const real* g, const real* w, real* dx) {
  if (use_winograd(a, algorithm)) return winograd_backward_x(a, g, w, dx);
  if (is_matmul(a)) return gemm_blocked(false, false, rows(a), a.c, a.k, g, w, dx);
  const SeenBack seen(a);
  std::deque<PhasePair> pairs;
  for (int64_t i = 0; i < std::min(a.stride, a.h); ++i)
    for (int64_t j = 0; j < std::min(a.stride, a.w); ++j) pairs.emplace_back(a, seen, i, j, w);
  const int64_t columns = (a.w + a.stride - 1) / a.stride;  // of a phase
  const Bands bands(a.n, (a.h + a.stride - 1) / a.stride, columns, positions_of_a_band);
  const Places positions = places(bands.height, columns, 1, seen.width, a.k, 1);
  parallel_for(bands.count, [&](int64_t b) {
    const Bands::Band band = bands[b];
    const int64_t count = band.rows * columns;
    const Scratch<real> image((bands.height + seen.more) * seen.width * a.k), product(count * a.c);
    read(g + band.image * a.p * a.q * a.k, a.p, a.q, a.k, band.begin + seen.top, band.rows + seen.more, seen.left, seen.width, image.data);
    for (const PhasePair& pair : pairs) {
      gemm_packed(count, a.c, pair.length(), {image.data, positions.data(), pair.taps.data()}, pair.filters.data, false, product.data, 0, a.c);
      const real* from = product.data;
      for (int64_t i = band.begin * a.stride + pair.down.phase; i < std::min(a.h, (band.begin + band.rows) * a.stride); i += a.stride, from += columns * a.c)
        for (int64_t j = pair.across.phase, v = 0; j < a.w; j += a.stride, ++v) std::copy_n(from + v * a.c, a.c, dx + ((band.image * a.h + i) * a.w + j) * a.c);
    }
  });
}

// dw^T (patch x K) = patches^T g: a partial sum for every group of bands, the partial sums added in order.
void backward_w(const Geometry& a, ConvAlgorithm algorithm, const real* x, const real* g, real* dw) {
  if (use_winograd(a, algorithm)) return winograd_backward_w(a, x, g, dw);
  if (is_matmul(a)) return gemm_blocked(true, false, a.k, a.c, rows(a), g, x, dw);
  const Bands bands(a.n, a.p, a.q, positions_of_a_band);
  const Seen seen(a, bands);
  const int64_t size = a.k * patch(a), most = std::clamp<int64_t>((1 << 22) / std::max<int64_t>(1, size), 8, 64),
                group = std::max<int64_t>(1, (bands.count + most - 1) / most),
                groups = (bands.count + group - 1) / group;
  const Storage partial(groups * size), sum(size);
  parallel_for(groups, [&](int64_t i) {
    const int64_t first = i * group, last = std::min(first + group, bands.count);
    const Scratch<real> image(seen.size(a, bands)), packed(packed_size(a.k, bands.height * a.q));
    for (int64_t b = first; b < last; ++b) {
      const Bands::Band band = bands[b];
      const int64_t count = band.rows * a.q;
      seen.read(a, band, x, image.data);
      pack(false, a.k, count, g + (band.image * a.p + band.begin) * a.q * a.k, a.k, packed.data);
      gemm_packed(patch(a), a.k, count, {image.data, seen.taps.data(), seen.positions.data()}, packed.data, b > first, partial.data + i * size, 0, a.k);
    }
  });
  add_in_order(groups, size, partial.data, sum.data);
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t t = 0; t < patch(a); ++t) dw[k * patch(a) + t] = sum.data[t * a.k + k];
  });
}

}  // namespace

// y is linear in x and in w, so each of the three ops has the other two as derivatives.
Shape conv2d_shape(const Shape& x, const Shape& w, const ConvOptions& options) {
  const Geometry a = geometry("conv2d", x, w, options);
  return {a.n, a.p, a.q, a.k};
}

Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options, const Epilogue& then) {
  const Geometry a = geometry("conv2d", x.shape(), w.shape(), options);
  if (!then.differentiable() && recording()) return then(conv2d(x, w, options));
  Tensor y = Tensor::empty({a.n, a.p, a.q, a.k});
  const bool winograd = use_winograd(a, options.algorithm);
  const Storage filters(filters_size(a, winograd));
  pack_filters(a, winograd, w.data(), filters.data);
  forward(a, winograd, x.data(), filters.data, y.mutable_data(), Finish(then, y));
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

PreparedFilters::PreparedFilters(const Tensor& w, const ConvOptions& options) : w_shape_(w.shape()), options_(options) {
  // The packed forms do not depend on the image; a large one asks for every form that any asks for.
  const Shape& k = w_shape_;
  const Geometry a = geometry("conv2d", {1, k[1] + 255, k[2] + 255, k[3]}, k, options);
  const auto packed = [&](bool winograd) {
    const auto filters = std::make_shared<Storage>(filters_size(a, winograd));
    pack_filters(a, winograd, w.data(), filters->data);
    return filters;
  };
  if (options.algorithm != ConvAlgorithm::winograd) direct_ = packed(false);
  if (options.algorithm != ConvAlgorithm::direct && winograd_applies(a)) winograd_ = packed(true);
}

Tensor PreparedFilters::operator()(const Tensor& x, const Epilogue& then) const {
  const Geometry a = geometry("conv2d", x.shape(), w_shape_, options_);
  const bool winograd = use_winograd(a, options_.algorithm, 4);
  Tensor y = Tensor::empty({a.n, a.p, a.q, a.k});
  forward(a, winograd, x.data(), (winograd ? winograd_ : direct_)->data, y.mutable_data(), Finish(then, y));
  return record(y, {x}, [](const Tensor&, const Tensor&) -> Grads {
    fail(Fault::failed, "conv2d: filters prepared for inference have no gradient");
  });
}

Tensor conv2d_dx(const Tensor& g, const Tensor& w, const Shape& x_shape, const ConvOptions& options) {
  const Geometry a = geometry("conv2d_dx", x_shape, w.shape(), g.shape(), options);
  Tensor dx = Tensor::empty(x_shape);
  backward_x(a, options.algorithm, g.data(), w.data(), dx.mutable_data());
  return record(dx, {g, w}, [=](const Tensor&, const Tensor& h) {
    return Grads{g.tracked() ? conv2d(h, w, options) : Tensor(), w.tracked() ? conv2d_dw(h, g, w.shape(), options) : Tensor()};
  });
}

Tensor conv2d_dw(const Tensor& x, const Tensor& g, const Shape& w_shape, const ConvOptions& options) {
  const Geometry a = geometry("conv2d_dw", x.shape(), w_shape, g.shape(), options);
  Tensor dw = Tensor::empty(w_shape);
  backward_w(a, options.algorithm, x.data(), g.data(), dw.mutable_data());
  return record(dw, {x, g}, [=](const Tensor&, const Tensor& h) {
    return Grads{x.tracked() ? conv2d_dx(g, h, x.shape(), options) : Tensor(), g.tracked() ? conv2d(x, h, options) : Tensor()};
  });
}

}  // namespace evenkeel
