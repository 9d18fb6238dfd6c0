// Grouped convolution: group i of the filters reads group i of the channels. With one channel and one filter a group it
// is a depthwise convolution, which has its own loops; otherwise each group is computed by conv.h.
#pragma once
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"

namespace evenkeel {

// Like the functions of conv.h, for a.groups > 1. `form`: of each group.
int64_t grouped_filters_size(const ConvSizes& a, ConvForm form);
void grouped_pack_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters);
void grouped_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y,
                     const Finish& finish);
void grouped_backward_x(const ConvSizes& a, ConvForm form, const real* g, const real* w, real* dx);
void grouped_backward_w(const ConvSizes& a, ConvForm form, const real* x, const real* g, real* dw);

}  // namespace evenkeel
