// Vec: neighbouring numbers that are computed with together. The compiler cuts it to the registers that the processor has.
#pragma once
#include "core/tensor.h"

namespace evenkeel {

constexpr int lanes = 64 / sizeof(real);
using Vec [[gnu::vector_size(64), gnu::aligned(alignof(real)), gnu::may_alias]] = real;

inline const Vec& vec(const real* p) { return *reinterpret_cast<const Vec*>(p); }
inline Vec& vec(real* p) { return *reinterpret_cast<Vec*>(p); }

}  // namespace evenkeel
