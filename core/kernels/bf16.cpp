// AMX: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. TDPBF16PS multiplies a tile
// of 16 x 32 by one of 32 x 16 in 16 cycles: on a core, sixteen times the products of float32 vectors. Four tiles hold
// C, so each tile of A and of B that is loaded is used twice.
#include "core/kernels/bf16.h"

#include <algorithm>
#include <cstring>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/simd.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#define EVENKEEL_AMX
#endif

#ifndef EVENKEEL_DOUBLE
namespace evenkeel {
namespace {

Pair read_pair(const Pair* at) {  // by memcpy: it may have been written as two bf16 numbers
  Pair p;
  std::memcpy(&p, at, sizeof p);
  return p;
}

// The definition: each element of C adds up the products of its Pairs in order.
void multiply_by_loops(int down, int across, int64_t steps, const TilePair& a, const int64_t* places, const TilePair& b,
                       int64_t along, float* c, int64_t ldc) {
  const auto low = [](Pair p) { return std::bit_cast<float>(p << 16); };
  const auto high = [](Pair p) { return std::bit_cast<float>(p & 0xffff0000); };
  for (int64_t p = 0; p < steps; ++p)
    for (int i = 0; i < tile_side * down; ++i)
      for (int u = 0; u < tile_side; ++u) {
        const Pair left = read_pair(a.at + places[p] + i / tile_side * a.next + i % tile_side * a.row + u);
        for (int j = 0; j < tile_side * across; ++j) {
          const Pair right = read_pair(b.at + p * along + u * b.row + j / tile_side * b.next + j % tile_side);
          c[i * ldc + j] += low(left) * low(right) + high(left) * high(right);
        }
      }
}

#ifdef EVENKEEL_AMX
bool ask_for_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned bf16 = 1u << 22, tiles = 1u << 24;
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM: for all threads of the process
  return (d & bf16) && (d & tiles) && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

// In assembler: the intrinsics need a target of their own, and GCC's let stores move past a load.
#define LOAD(tile, at, bytes) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(at), "r"(static_cast<int64_t>(bytes)) : "memory")
#define STORE(tile, at, bytes) \
  asm volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(at), "r"(static_cast<int64_t>(bytes)) : "memory")
#define ZERO(tile) asm volatile("tilezero %tmm" #tile)
#define MULTIPLY(c, a, b) asm volatile("tdpbf16ps %tmm" #b ", %tmm" #a ", %tmm" #c)

// C in tiles 0 to 3, A in 4 and 5, B in 6 and 7.
template <int down, int across>
void multiply_by_tiles(int64_t steps, const TilePair& a, const int64_t* places, const TilePair& b, int64_t along,
                       float* c, int64_t ldc, bool add) {
  const int64_t c_row = ldc * 4, a_row = a.row * 4, b_row = b.row * 4;
  float *right = c + tile_side, *below = c + tile_side * ldc, *corner = below + tile_side;
  if (add) {
    LOAD(0, c, c_row);
    if (across > 1) LOAD(1, right, c_row);
    if (down > 1) LOAD(2, below, c_row);
    if (down > 1 && across > 1) LOAD(3, corner, c_row);
  } else {
    ZERO(0);
    if (across > 1) ZERO(1);
    if (down > 1) ZERO(2);
    if (down > 1 && across > 1) ZERO(3);
  }
  const Pair* from = b.at;
  for (int64_t p = 0; p < steps; ++p, from += along) {
    const Pair* upper = a.at + places[p];
    LOAD(6, from, b_row);
    LOAD(4, upper, a_row);
    MULTIPLY(0, 4, 6);
    if (across > 1) {
      LOAD(7, from + b.next, b_row);
      MULTIPLY(1, 4, 7);
    }
    if (down > 1) {
      LOAD(5, upper + a.next, a_row);
      MULTIPLY(2, 5, 6);
      if (across > 1) MULTIPLY(3, 5, 7);
    }
  }
  STORE(0, c, c_row);
  if (across > 1) STORE(1, right, c_row);
  if (down > 1) STORE(2, below, c_row);
  if (down > 1 && across > 1) STORE(3, corner, c_row);
}
#undef LOAD
#undef STORE
#undef ZERO
#undef MULTIPLY
#endif

}  // namespace

#ifdef EVENKEEL_AMX
bool has_amx() {
  static const bool answer = ask_for_amx();
  return answer;
}

Tiles::Tiles() {
  if (!has_amx()) return;
  struct alignas(64) Configuration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static constexpr Configuration all_full;
  asm volatile("ldtilecfg %0" : : "m"(all_full));
}

Tiles::~Tiles() {
  if (has_amx()) asm volatile("tilerelease");
}
#else
bool has_amx() { return false; }
Tiles::Tiles() {}
Tiles::~Tiles() {}
#endif

void Tiles::multiply(int down, int across, int64_t steps, const TilePair& a, const int64_t* places, const TilePair& b,
                     int64_t along, float* c, int64_t ldc, bool add) const {
#ifdef EVENKEEL_AMX
  if (has_amx()) {
    const auto by_tiles = down > 1     ? across > 1 ? multiply_by_tiles<2, 2> : multiply_by_tiles<2, 1>
                              : across > 1 ? multiply_by_tiles<1, 2>
                                       : multiply_by_tiles<1, 1>;
    return by_tiles(steps, a, places, b, along, c, ldc, add);
  }
#endif
  for (int i = 0; i < tile_side * down && !add; ++i) std::fill_n(c + i * ldc, tile_side * across, 0.f);
  multiply_by_loops(down, across, steps, a, places, b, along, c, ldc);
}

void round_rows(int64_t rows, int64_t n, const real* from, uint16_t* to, int64_t step) {
  [[maybe_unused]] const bool by_vectors = has_amx();
  for (; rows > 0; --rows, from += n, to += step) {
    int64_t i = 0;
#if defined(EVENKEEL_AMX) && defined(__AVX512F__)
    // With AMX there is AVX512_BF16, too; it takes denormal numbers as zero, as the tiles do.
    for (; by_vectors && i + lanes <= n; i += lanes) {
      __m256i rounded;
      asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(Vec(vec(from + i))));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), rounded);
    }
#endif
#pragma omp simd
    for (int64_t j = i; j < n; ++j) to[j] = to_bf16(from[j]);
  }
}

void pair_rows(int64_t rows, int64_t n, const uint16_t* a, const uint16_t* b, int64_t step, Pair* to, int64_t to_step) {
  for (; rows > 0; --rows, a += step, b += step, to += to_step)
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = a[i] | static_cast<Pair>(b[i]) << 16;
}

void transpose_pairs(const Pair* from, int64_t rows, int64_t columns, int64_t ld, Pair* to, int64_t to_ld) {
  // As floats, which have the same size: their bits are only moved.
  for (int64_t i = 0; i < rows; i += lanes)
    for (int64_t j = 0; j < columns; j += lanes) {
      Vec v[lanes];
      for (int64_t l = 0; l < lanes; ++l) v[l] = vec(reinterpret_cast<const real*>(from + (i + l) * ld + j));
      transpose(v);
      for (int64_t l = 0; l < lanes; ++l) vec(reinterpret_cast<real*>(to + (j + l) * to_ld + i)) = v[l];
    }
}

namespace {

// Pairs of neighbours in the rows of m (rows x columns), at to (.., to_ld), for rows [begin, end) of the padded matrix.
void pairs_along(const real* m, int64_t rows, int64_t columns, int64_t begin, int64_t end, Pair* to, int64_t to_ld) {
  for (int64_t i = begin; i < end; ++i, to += to_ld) {
    uint16_t* line = reinterpret_cast<uint16_t*>(to);
    const int64_t length = i < rows ? columns : 0;
    round_line(m + i * columns, length, line);
    std::fill(line + length, line + 2 * to_ld, uint16_t{0});
  }
}

// Pairs of neighbours in the columns of m: row u holds the Pairs of rows 2u and 2u + 1.
void pairs_across(const real* m, int64_t rows, int64_t columns, int64_t begin, int64_t end, Pair* to, int64_t to_ld) {
  const Scratch<uint16_t> lines(2 * to_ld);
  for (int64_t u = begin; u < end; ++u, to += to_ld) {
    for (int64_t l = 0; l < 2; ++l) {
      uint16_t* line = lines.data + l * to_ld;
      const int64_t length = 2 * u + l < rows ? columns : 0;
      round_line(m + (2 * u + l) * columns, length, line);
      std::fill(line + length, line + to_ld, uint16_t{0});
    }
    pair_lines(lines.data, lines.data + to_ld, to_ld, to);
  }
}

// m (rows x columns) in Pairs along or across its rows, and then transposed or not. Its own rows and columns are
// multiples of 16, with zeros beyond the numbers of m.
struct Pairs {
  Pairs(const real* m, int64_t m_rows, int64_t m_columns, bool along, bool transposed)
      : down_(along ? up(m_rows, tile_side) : up(m_rows, tile_depth) / 2),
        wide_(along ? up(m_columns, tile_depth) / 2 : up(m_columns, tile_side)),
        storage_(down_ * wide_),
        columns(transposed ? down_ : wide_) {
    const auto fill = along ? pairs_along : pairs_across;
    parallel_blocks(down_, std::max<int64_t>(tile_side, row_block(wide_) / tile_side * tile_side),
                    [&](int64_t begin, int64_t end) {
                      if (!transposed) return fill(m, m_rows, m_columns, begin, end, row(begin), wide_);
                      const Scratch<Pair> block(tile_side * wide_);
                      for (int64_t i = begin; i < end; i += tile_side) {
                        fill(m, m_rows, m_columns, i, i + tile_side, block.data, wide_);
                        transpose_pairs(block.data, tile_side, wide_, wide_, row(0) + i, down_);
                      }
                    });
  }
  Pair* row(int64_t i) const { return reinterpret_cast<Pair*>(storage_.data) + i * columns; }

 private:
  const int64_t down_, wide_;
  const Storage storage_;

 public:
  const int64_t columns;
};

}  // namespace

void bf16_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c,
               const Finish* finish) {
  // The Pairs lie along the inner dimension.
  const Pairs left = ta ? Pairs(a, k, m, false, true) : Pairs(a, m, k, true, false);
  const Pairs right = tb ? Pairs(b, n, k, true, true) : Pairs(b, k, n, false, false);
  const int64_t steps = left.columns / tile_side;
  constexpr int64_t block = 2 * tile_side, rows_of_a_task = 2 * block, columns_of_a_task = 4 * block;
  const int64_t across = (n + columns_of_a_task - 1) / columns_of_a_task,
                down = (m + rows_of_a_task - 1) / rows_of_a_task;
  parallel_for(down * across, [&](int64_t task) {
    const Tiles tiles;
    const Scratch<int64_t> places(steps);
    for (int64_t p = 0; p < steps; ++p) places.data[p] = p * tile_side;
    alignas(64) float sums[block * block];
    const int64_t top = task / across * rows_of_a_task, first = task % across * columns_of_a_task;
    for (int64_t j = first; j < std::min(n, first + columns_of_a_task); j += block)
      for (int64_t i = top; i < std::min(m, top + rows_of_a_task); i += block) {
        tiles.multiply(m - i > tile_side ? 2 : 1, n - j > tile_side ? 2 : 1, steps,
                       {left.row(i), left.columns, tile_side * left.columns}, places.data,
                       {right.row(0) + j, right.columns, tile_side}, tile_side * right.columns, sums, block, false);
        const int64_t rows = std::min(block, m - i), columns = std::min(block, n - j);
        real* to = c + i * n + j;
        for (int64_t r = 0; r < rows; ++r) std::copy_n(sums + r * block, columns, to + r * n);
        if (finish && *finish) (*finish)(to, rows, j, columns);
      }
  });
}

}  // namespace evenkeel
#endif
