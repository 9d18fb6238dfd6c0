// Vec: neighbouring numbers that are computed with together. The compiler cuts it to the registers that the processor has.
#pragma once
#include "core/tensor.h"

namespace evenkeel {

constexpr int lanes = 64 / sizeof(real);
using Vec [[gnu::vector_size(64), gnu::may_alias]] = real;

// A Vec in memory, wherever a number may lie. A struct, because clang forgets a type's smaller alignment where it goes through a reference.
struct [[gnu::packed, gnu::may_alias]] VecPlace {
  Vec value;
  operator Vec() const { return value; }
  void operator=(Vec v) { value = v; }
};
inline const VecPlace& vec(const real* p) { return *reinterpret_cast<const VecPlace*>(p); }
inline VecPlace& vec(real* p) { return *reinterpret_cast<VecPlace*>(p); }

}  // namespace evenkeel
