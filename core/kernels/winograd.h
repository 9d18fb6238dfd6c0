// Winograd's convolution for 3x3 and 5x5 kernels of stride 1, on raw memory; core/ops/conv.h has the ops.
//
// For normal numbers in float the largest error, in units of the results' root mean square, is below 2e-5 for 3x3 and
// 1e-4 for 5x5, and below 5e-6 in the direct form; measured were 8e-6, 6e-5 and 3e-6.
#pragma once
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"

namespace evenkeel {

// Whether the functions below compute it to that error: a weight gradient from tiles of which one row or column is used
// has more than twice as much.
bool winograd_applies(const ConvSizes& a);
// Multiplications for each pair of channels, counting `more_tiles` extra tiles; the direct form needs n p q r s.
int64_t winograd_products(const ConvSizes& a, int64_t more_tiles = 0);
int64_t winograd_filters_size(const ConvSizes& a);
void winograd_filters(const ConvSizes& a, const real* w, real* filters);  // w as winograd_forward wants it
void winograd_forward(const ConvSizes& a, const real* x, const real* filters, real* y, const Finish& finish);
void winograd_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx);
void winograd_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw);

}  // namespace evenkeel
