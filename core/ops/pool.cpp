#include "core/ops/pool.h"

#include "core/base/memory.h"
#include "core/kernels/pool.h"
#include "core/ops/reduce.h"

namespace evenkeel {
namespace {

Shape image(const PoolSizes& a) { return {a.n, a.h, a.w, a.c}; }
Shape result(const PoolSizes& a) { return {a.n, a.p, a.q, a.c}; }

void check_image(const char* op, const Shape& x) {
  check(x.rank() == 4, "{}: needs (N, H, W, C), got {}", op, x);
  check(x[1] >= 1 && x[2] >= 1, "{}: an image must have a height and a width, got {}", op, x);
}

PoolSizes windows(const char* op, const Shape& x, const PoolOptions& o) {
  check_image(op, x);
  const int64_t size = o.size, stride = o.stride == 0 ? size : o.stride, padding = o.padding;
  check(size >= 1 && size <= Shape::max_size && stride >= 1 && padding >= 0 && padding <= size / 2,
        "{}: size must be 1 to 2^58, stride at least 1, padding at most half the size; got {} x {}, {} and {}", op,
        size, size, stride, padding);
  check(size <= 16 || op != std::string_view("max_pool"), "max_pool: a window has at most 256 cells, got {} x {}", size,
        size);
  const int64_t h = x[1] + 2 * padding - size, w = x[2] + 2 * padding - size;
  check(h >= 0 && w >= 0, "{}: the window of {} x {} must fit into the padded image; x is {}, padding {}", op, size,
        size, x, padding);
  return {x[0], x[1], x[2], x[3], size, stride, padding, h / stride + 1, w / stride + 1};
}

// The cell of its window that holds each maximum: one byte each.
using Winners = std::shared_ptr<const uint8_t[]>;

std::shared_ptr<uint8_t[]> allocate_bytes(int64_t n) {
  const size_t bytes = static_cast<size_t>(n);
  return {static_cast<uint8_t*>(allocate(bytes)), [bytes](uint8_t* block) { release(block, bytes); }};
}

// y[window] = x[the window's winner], and its adjoint; both linear, so each is the other's derivative.
Tensor pick(const Tensor& x, const PoolSizes& a, const Winners& winners);
Tensor unpick(const Tensor& g, const PoolSizes& a, const Winners& winners);

Tensor pick(const Tensor& x, const PoolSizes& a, const Winners& winners) {
  Tensor y = Tensor::empty(result(a));
  pick_cells(a, x.data(), winners.get(), y.mutable_data());
  return record(y, {x.without_values()}, [=](const Tensor& g) { return Grads{unpick(g, a, winners)}; });
}

Tensor unpick(const Tensor& g, const PoolSizes& a, const Winners& winners) {
  Tensor dx = Tensor::empty(image(a));
  unpick_cells(a, g.data(), winners.get(), dx.mutable_data());
  return record(dx, {g.without_values()}, [=](const Tensor& h) { return Grads{pick(h, a, winners)}; });
}

// y[window] = mean of the cells inside the image, and its adjoint.
Tensor average(const Tensor& x, const PoolSizes& a);
Tensor spread_average(const Tensor& g, const PoolSizes& a);

Tensor average(const Tensor& x, const PoolSizes& a) {
  Tensor y = Tensor::empty(result(a));
  average_cells(a, x.data(), y.mutable_data());
  return record(y, {x.without_values()}, [=](const Tensor& g) { return Grads{spread_average(g, a)}; });
}

Tensor spread_average(const Tensor& g, const PoolSizes& a) {
  Tensor dx = Tensor::empty(image(a));
  spread_cells(a, g.data(), dx.mutable_data());
  return record(dx, {g.without_values()}, [=](const Tensor& h) { return Grads{average(h, a)}; });
}

// The adjoint of max_pool with result y. If a maximum is NaN, so is the derivative of every cell of its window.
Tensor max_adjoint(const PoolSizes& a, const Winners& winners, bool nan, const Tensor& y, const Tensor& g) {
  const Tensor dx = unpick(g, a, winners);
  return nan ? dx + spread_average(real(0) * step(y.detach()), a) : dx;
}

}  // namespace

Tensor max_pool(const Tensor& x, const PoolOptions& options) {
  const PoolSizes a = windows("max_pool", x.shape(), options);
  Tensor y = Tensor::empty(result(a));
  const std::shared_ptr<uint8_t[]> winners = allocate_bytes(y.size());
  const bool nan = max_cells(a, x.data(), winners.get(), y.mutable_data());
  return record(y, {x.without_values()}, [a, winners = Winners(winners), nan](const Tensor& out, const Tensor& g) {
    return Grads{max_adjoint(a, winners, nan, out, g)};
  });
}

FusedMaxPool::FusedMaxPool(const Shape& x) : y(pool_shape("max_pool", x, {})) {
  struct Owned : PooledCells {
    std::shared_ptr<uint8_t[]> block;
  };
  const auto owned = std::make_shared<Owned>();
  owned->sizes = windows("max_pool", x, {});
  owned->block = allocate_bytes(y.size());
  owned->winners = owned->block.get();
  cells = owned;
}

Tensor FusedMaxPool::adjoint(const Tensor& result, const Tensor& g) const {
  return max_adjoint(cells->sizes, Winners(cells, cells->winners), cells->nan, result, g);
}

Tensor avg_pool(const Tensor& x, const PoolOptions& options) {
  return average(x, windows("avg_pool", x.shape(), options));
}

Shape pool_shape(const char* op, const Shape& x, const PoolOptions& options) { return result(windows(op, x, options)); }

Tensor global_avg_pool(const Tensor& x) {
  check_image("global_avg_pool", x.shape());
  return sum_positions(x) / static_cast<real>(x.dim(1) * x.dim(2));
}

}  // namespace evenkeel
