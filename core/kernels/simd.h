// Vec: a SIMD vector, as wide as a register of the target processor.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

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

// A Vec in memory, unaligned. A struct, because clang ignores the reduced alignment of a vector type in a reference.
struct [[gnu::packed, gnu::may_alias]] VecPlace {
  Vec value;
  operator Vec() const { return value; }
  void operator=(Vec v) { value = v; }
};
inline const VecPlace& vec(const real* p) { return *reinterpret_cast<const VecPlace*>(p); }
inline VecPlace& vec(real* p) { return *reinterpret_cast<VecPlace*>(p); }

// Interleaves the elements of a and b, from index `from` on.
template <size_t from, size_t... I>
inline Vec deal(Vec a, Vec b, std::index_sequence<I...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, (from + I / 2 + I % 2 * lanes)...);
#else  // in GCC from version 12 on
  using Index [[gnu::vector_size(vec_bytes)]] = std::conditional_t<sizeof(real) == 4, int32_t, int64_t>;
  return __builtin_shuffle(a, b, Index{(from + I / 2 + I % 2 * lanes)...});
#endif
}

// Transposes a square of Vecs: each round interleaves the upper half of the rows with the lower half.
inline void transpose(Vec (&v)[lanes]) {
  constexpr std::make_index_sequence<lanes> all;
  for (int round = 1; round < lanes; round *= 2) {
    Vec next[lanes];
    for (int i = 0; i < lanes / 2; ++i) {
      next[2 * i] = deal<0>(v[i], v[i + lanes / 2], all);
      next[2 * i + 1] = deal<lanes / 2>(v[i], v[i + lanes / 2], all);
    }
    std::copy(next, next + lanes, v);
  }
}

// Shuffles within each 16 bytes: one instruction each. Of four floats a0 to a3 and b0 to b3, interleave_low()
// makes a0 b0 a1 b1 and interleave_high() a2 b2 a3 b3; evens() of these two is a0 a1 a2 a3 again, odds() b0 b1 b2 b3.
// step 1: elements of a and b in turn, beginning with element `from`; step 2: every second element, beginning with
// `from`, of a and then of b.
template <int step, int from, size_t... I>
inline Vec shuffle_16(Vec a, Vec b, std::index_sequence<I...>) {
  constexpr auto index = [](int i) {
    constexpr int group = 16 / sizeof(real);
    const int j = i % group;
    return step == 2 ? i - j + j % (group / 2) * 2 + from + j / (group / 2) * lanes
                     : i - j + from + j / 2 + j % 2 * lanes;
  };
#ifdef __clang__
  return __builtin_shufflevector(a, b, index(I)...);
#else
  using Index [[gnu::vector_size(vec_bytes)]] = std::conditional_t<sizeof(real) == 4, int32_t, int64_t>;
  return __builtin_shuffle(a, b, Index{index(I)...});
#endif
}
inline Vec interleave_low(Vec a, Vec b) { return shuffle_16<1, 0>(a, b, std::make_index_sequence<lanes>()); }
inline Vec interleave_high(Vec a, Vec b) {
  return shuffle_16<1, 8 / sizeof(real)>(a, b, std::make_index_sequence<lanes>());
}
inline Vec evens(Vec a, Vec b) { return shuffle_16<2, 0>(a, b, std::make_index_sequence<lanes>()); }
inline Vec odds(Vec a, Vec b) { return shuffle_16<2, 1>(a, b, std::make_index_sequence<lanes>()); }

// The two floats at p, broadcast: a b a b ...
inline Vec repeat_pair(const real* p) {
  using Pairs [[gnu::vector_size(vec_bytes)]] = int64_t;
  int64_t pair;
  std::memcpy(&pair, p, sizeof pair);
  return (Vec)(Pairs{} + pair);
}

// Copies n numbers, n >= lanes: for lines so short that a call of memmove costs more.
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
// Like copy_line, with non-temporal stores; n is a multiple of `lanes`, `to` aligned as a Vec.
inline void stream_line(const real* from, int64_t n, real* to) {
  for (int64_t i = 0; i < n; i += lanes) stream(to + i, vec(from + i));
}
inline void stream_end() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}
// Whether a result is too large for the L3 cache to keep until the next op, and its rows are whole vectors.
inline bool worth_streaming(int64_t size, int64_t channels) {
  return size * static_cast<int64_t>(sizeof(real)) > (int64_t{1} << 22) && channels % lanes == 0;
}

}  // namespace evenkeel
