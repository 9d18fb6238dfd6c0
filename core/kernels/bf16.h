// bf16 numbers (a float's sign and exponent with 7 bits of fraction) and matrix products of them, summed in float32: by
// AMX, the tile registers of a processor, or on a processor without AMX by loops that define the result.
#pragma once
#include <bit>
#include <cstdint>

#include "core/kernels/finish.h"

namespace evenkeel {

// Two bf16 numbers, the first in the lower half: a tile multiplies pairs.
using Pair = uint32_t;
constexpr int tile_side = 16;              // rows of a tile, and Pairs or floats in a row
constexpr int tile_depth = 2 * tile_side;  // bf16 numbers in a row

inline int64_t up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// In the library of double there are none of these functions.
constexpr bool bf16_exists = sizeof(real) == sizeof(float);

// Whether the processor has AMX and the system lets us use it.
bool has_amx();

// The bits of v rounded to nearest, ties to even; NaN stays NaN.
inline uint16_t to_bf16(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  return static_cast<uint16_t>((v != v ? bits | 0x400000 : rounded) >> 16);
}

// to = from rounded: rows of n numbers, contiguous in `from`, `step` apart in `to`.
void round_rows(int64_t rows, int64_t n, const real* from, uint16_t* to, int64_t step);
inline void round_line(const real* from, int64_t n, uint16_t* to) { round_rows(1, n, from, to, n); }
// to[i] = the Pair of a[i] and b[i]: rows of n, `step` apart in a and in b, `to_step` in `to`.
void pair_rows(int64_t rows, int64_t n, const uint16_t* a, const uint16_t* b, int64_t step, Pair* to, int64_t to_step);
inline void pair_lines(const uint16_t* a, const uint16_t* b, int64_t n, Pair* to) { pair_rows(1, n, a, b, n, to, n); }
// to (columns x rows) = from^T; rows and columns are multiples of 16.
void transpose_pairs(const Pair* from, int64_t rows, int64_t columns, int64_t ld, Pair* to, int64_t to_ld);

// Two tiles of a matrix of Pairs, side by side: rows `row` Pairs apart, the second tile `next` Pairs after the first.
struct TilePair {
  const Pair* at;
  int64_t row, next;
};

// The tile registers of the calling thread, for the length of a block of work.
class Tiles {
 public:
  Tiles();
  ~Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  // C (16 down x 16 across, rows ldc apart) = or += the sum of A_p B_p for p < steps. A_p (16 down x 32) is at a.at +
  // places[p]; its rows hold Pairs along the inner dimension. B_p (32 x 16 across) is at b.at + p * along; each of its
  // 16 stored rows holds the Pairs of two neighbouring rows. down and across are 1 or 2.
  void multiply(int down, int across, int64_t steps, const TilePair& a, const int64_t* places, const TilePair& b,
                int64_t along, float* c, int64_t ldc, bool add) const;
};

// The same as gemm_blocked() of gemm.h, with inputs rounded to bf16.
void bf16_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c,
               const Finish* finish);

}  // namespace evenkeel
