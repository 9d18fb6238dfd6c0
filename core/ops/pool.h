// Pooling, channels last.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

struct PoolOptions {
  int64_t size = 2;
  int64_t stride = 0;   // 0: the same as size
  int64_t padding = 0;  // at most size / 2; padding is never the maximum and never counts in an average
};

// The maximum or the mean of each window of size x size pixels: (N, H, W, C) -> (N, P, Q, C) with P = (H + 2 padding -
// size) / stride + 1, rounded down. Error if the window does not fit into the padded image, if size < 1,
// stride < 0, or padding is not from 0 to size / 2; for max_pool also if size > 16.
Tensor max_pool(const Tensor& x, const PoolOptions& options = {});  // ties: the first in row order
Tensor avg_pool(const Tensor& x, const PoolOptions& options = {});
Shape pool_shape(const char* op, const Shape& x, const PoolOptions& options);  // y's shape; checks as `op` does
Tensor global_avg_pool(const Tensor& x);                                       // (N, H, W, C) -> (N, C)

struct PooledCells;  // core/kernels/pool.h

// What the derivative of a fused max_pool of 2x2 pixels needs: the kernel that makes x pools it (Epilogue::pool).
struct FusedMaxPool {
  explicit FusedMaxPool(const Shape& x);
  Tensor adjoint(const Tensor& result, const Tensor& g) const;  // dL/dx from the result y and g = dL/dy
  Shape y;
  std::shared_ptr<PooledCells> cells;  // the kernel sets them
};

}  // namespace evenkeel
