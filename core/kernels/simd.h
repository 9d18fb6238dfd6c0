// Vec: a SIMD vector, as wide as a register of the target processor.
#pragma once
#include "core/base/scalar.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

// A Vec in memory, unaligned. A struct, because clang forgets a type's smaller alignment where it goes through a
// reference.
struct [[gnu::packed, gnu::may_alias]] VecPlace {
  Vec value;
  operator Vec() const { return value; }
  void operator=(Vec v) { value = v; }
};
inline const VecPlace& vec(const real* p) { return *reinterpret_cast<const VecPlace*>(p); }
inline VecPlace& vec(real* p) { return *reinterpret_cast<VecPlace*>(p); }

// Copies n numbers, n >= lanes: for lines too short to be worth a call of memmove.
inline void copy_line(const real* from, int64_t n, real* to) {
  for (int64_t i = 0; i + lanes < n; i += lanes) vec(to + i) = vec(from + i);
  vec(to + n - lanes) = vec(from + n - lanes);
}

// Non-temporal store, p aligned as a Vec: for results too large to stay in cache, it saves reading their old
// contents. Call stream_end() before another thread reads them.
inline void stream(real* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
#elif defined(__AVX__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
#elif defined(__SSE2__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
#else
  vec(p) = v;
#endif
}
inline void stream_end() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}
// Larger than what the L3 cache keeps until the next op, in whole vectors.
inline bool worth_streaming(int64_t size, int64_t channels) {
  return size * static_cast<int64_t>(sizeof(real)) > (int64_t{1} << 22) && channels % lanes == 0;
}

}  // namespace evenkeel
