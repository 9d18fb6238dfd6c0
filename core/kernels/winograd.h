// Winograd's convolution for 3x3 and 5x5 kernels of stride 1, on raw memory; core/ops/conv.h has the ops.
//
// For standard normal inputs in float, the largest error relative to the results' root mean square is below 2e-5 for
// 3x3, 1e-4 for 5x5, and 5e-6 in the direct form; measured: 8e-6, 6e-5 and 3e-6.
#pragma once
#include <vector>

#include "core/base/moments.h"
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"
#include "core/kernels/pool.h"

namespace evenkeel {

// Whether the functions below keep these bounds: a weight gradient from tiles with only one row or column in use has
// more than twice the error. The form with small tiles has only the forward direction.
bool winograd_applies(const ConvSizes& a, ConvForm form);
// Multiplications for each pair of input and output channels, with `more_tiles` extra tiles; the direct form needs n p
// q r s.
int64_t winograd_products(const ConvSizes& a, ConvForm form, int64_t more_tiles);
int64_t winograd_filters_size(const ConvSizes& a, ConvForm form);
void winograd_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters);  // packs w for winograd_forward
void winograd_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y,
                      const Finish& finish, std::vector<Moments>* moments, PooledCells* pooled);
void winograd_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx);
void winograd_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw);

}  // namespace evenkeel
