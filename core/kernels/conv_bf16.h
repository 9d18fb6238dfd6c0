// Convolution in bf16: the direct form with x, w and g rounded to bf16 and sums in float32.
#pragma once
#include <vector>

#include "core/base/moments.h"
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"

namespace evenkeel {

// Like the functions of conv.h, for one group.
int64_t bf16_filters_size(const ConvSizes& a);
void bf16_pack_filters(const ConvSizes& a, const real* w, real* filters);
void bf16_forward(const ConvSizes& a, const real* x, const real* filters, real* y, const Finish& finish,
                  std::vector<Moments>* moments);
void bf16_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx);
void bf16_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw);

}  // namespace evenkeel
