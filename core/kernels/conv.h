// Convolution and its two gradients on raw memory; core/ops/conv.h has the mathematics and the names.
#pragma once
#include <vector>

#include "core/base/moments.h"
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"
#include "core/kernels/pool.h"

namespace evenkeel {

// Packs the filters as conv_forward reads them: Winograd's transform of w, or w^T. `filters` has conv_filters_size
// numbers.
int64_t conv_filters_size(const ConvSizes& a, ConvForm form);
void conv_pack_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters);

// `form`: of each group. `moments`: receives the moments of y's rows, to be merged in order; allowed if
// conv_gathers_moments() and there is no epilogue. `pooled`: receives the winners of max pooling of 2x2 pixels; y
// is then the pooled result (n, p / 2, q / 2, k). Allowed if conv_pools() and nothing is added.
bool conv_gathers_moments(const ConvSizes& a, ConvForm form);
bool conv_pools(const ConvSizes& a, ConvForm form);
void conv_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y, const Finish& finish,
                  std::vector<Moments>* moments = nullptr, PooledCells* pooled = nullptr);
void conv_backward_x(const ConvSizes& a, ConvForm form, const real* g, const real* w, real* dx);
void conv_backward_w(const ConvSizes& a, ConvForm form, const real* x, const real* g, real* dw);

}  // namespace evenkeel
