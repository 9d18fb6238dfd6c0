// Vec: neighbouring numbers that are computed with together, as many as a register of the processor compiled for holds.
#pragma once
#include "core/tensor.h"

namespace evenkeel {

#if defined(__AVX512F__)
constexpr int vec_bytes = 64;
#elif defined(__AVX__)
constexpr int vec_bytes = 32;
#else
constexpr int vec_bytes = 16;
#endif
constexpr int lanes = vec_bytes / sizeof(real);
using Vec [[gnu::vector_size(vec_bytes), gnu::may_alias]] = real;

// A Vec in memory, wherever a number may lie. A struct, because clang forgets a type's smaller alignment where it goes through a reference.
struct [[gnu::packed, gnu::may_alias]] VecPlace {
  Vec value;
  operator Vec() const { return value; }
  void operator=(Vec v) { value = v; }
};
inline const VecPlace& vec(const real* p) { return *reinterpret_cast<const VecPlace*>(p); }
inline VecPlace& vec(real* p) { return *reinterpret_cast<VecPlace*>(p); }

// to = from, n numbers, at least `lanes` of them: for lines too short to call memmove for.
inline void copy_line(const real* from, int64_t n, real* to) {
  for (int64_t i = 0; i + lanes < n; i += lanes) vec(to + i) = vec(from + i);
  vec(to + n - lanes) = vec(from + n - lanes);
}

}  // namespace evenkeel
