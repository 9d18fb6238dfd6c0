// Winograd's convolution for 3x3 and 5x5 kernels of stride 1, on raw memory; conv.h has the ops.
//
// For normal numbers in float the largest error, in units of the results' root mean square, is below 2e-5 for 3x3 and
// 1e-4 for 5x5, and below 5e-6 in the direct form; measured were 8e-6, 6e-5 and 3e-6.
#pragma once
#include "core/ops/epilogue.h"

namespace evenkeel {

// A convolution's sizes, named as in conv.h.
struct ConvGeometry {
  int64_t n, h, w, c;  // x (n, h, w, c)
  int64_t k, r, s;     // w (k, r, s, c)
  int64_t p, q;        // y (n, p, q, k)
  int64_t stride, padding;
};

// Whether the functions below compute it to that error: a weight gradient from tiles of which one row or column is used
// has more than twice as much.
bool winograd_applies(const ConvGeometry& a);
// Multiplications for each pair of channels, with so many tiles more than there are; direct: n p q r s.
int64_t winograd_products(const ConvGeometry& a, int64_t more_tiles = 0);
int64_t winograd_filters_size(const ConvGeometry& a);
void winograd_filters(const ConvGeometry& a, const real* w, real* filters);  // w as winograd_forward wants it
void winograd_forward(const ConvGeometry& a, const real* x, const real* filters, real* y, const Finish& finish);
void winograd_backward_x(const ConvGeometry& a, const real* g, const real* w, real* dx);
void winograd_backward_w(const ConvGeometry& a, const real* x, const real* g, real* dw);

}  // namespace evenkeel
