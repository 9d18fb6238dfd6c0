// Pooling on raw memory; core/ops/pool.h has the mathematics.
#pragma once
#include <atomic>
#include <cstdint>

#include "core/base/scalar.h"

namespace evenkeel {

// x (n, h, w, c), windows of `size` x `size`, y (n, p, q, c).
struct PoolSizes {
  int64_t n, h, w, c;
  int64_t size, stride, padding;
  int64_t p, q;
};

// The pooling that another kernel does in its epilogue, as max_cells() does.
struct PooledCells {
  PoolSizes sizes;
  uint8_t* winners = nullptr;    // or null: there will be no derivative
  std::atomic<bool> nan{false};  // the kernel sets it if any maximum is NaN
};

// y = the maximum of each window; winners (n, p, q, c) = the index of its cell: 0 for the window's first cell inside
// the image, + 1 from column to column, + size from row to row. Returns whether any maximum is NaN.
bool max_cells(const PoolSizes& a, const real* x, uint8_t* winners, real* y);
void pick_cells(const PoolSizes& a, const real* x, const uint8_t* winners, real* y);     // y[window] = x[its winner]
void unpick_cells(const PoolSizes& a, const real* g, const uint8_t* winners, real* dx);  // the adjoint
void average_cells(const PoolSizes& a, const real* x, real* y);  // y[window] = mean of its cells inside the image
void spread_cells(const PoolSizes& a, const real* g, real* dx);  // the adjoint

}  // namespace evenkeel
