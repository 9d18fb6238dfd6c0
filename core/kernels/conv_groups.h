// Convolution in groups of channels: group i of the filters sees group i of the channels alone. As many groups as
// channels and filters is a depthwise convolution, which has loops of its own; else each group is a convolution by
// itself.
#pragma once
#include "core/kernels/conv_sizes.h"
#include "core/kernels/finish.h"

namespace evenkeel {

// As their namesakes of conv.h, for a.groups > 1. `winograd` is for the convolution of one group.
int64_t grouped_filters_size(const ConvSizes& a, bool winograd);
void grouped_pack_filters(const ConvSizes& a, bool winograd, const real* w, real* filters);
void grouped_forward(const ConvSizes& a, bool winograd, const real* x, const real* filters, real* y,
                     const Finish& finish);
void grouped_backward_x(const ConvSizes& a, bool winograd, const real* g, const real* w, real* dx);
void grouped_backward_w(const ConvSizes& a, bool winograd, const real* x, const real* g, real* dw);

}  // namespace evenkeel
