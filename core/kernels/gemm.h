// Matrix products on raw memory: the kernel under dense layers and convolutions.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernels/finish.h"

namespace evenkeel {

// Rows of A that the kernel takes at a time: it is fastest on multiples of them.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int gemm_rows = 14;
#else
constexpr int gemm_rows = 6;
#endif

// C (m x n) = op(A) op(B), or += if `add`, all row-major: A is m x k (k x m if ta) with rows lda apart, and so on. On
// the calling thread.
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b, int64_t ldb,
          bool add, real* c, int64_t ldc);

// The same in two steps, for a B that many products share. `pack` copies op(B) (k x n) into packed_size numbers, in the
// order that the kernel reads. gemm_packed computes the columns [begin, end) of C = A op(B); begin: a multiple of 64.
int64_t packed_size(int64_t n, int64_t k);
void pack(bool tb, int64_t n, int64_t k, const real* b, int64_t ldb, real* to);
void gemm_packed(int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* packed, real* c,
                 int64_t begin, int64_t end);

// A gathered A: its element (i, p) at a[rows[i] + columns[p]].
struct Indexed {
  const real* a;
  const int64_t *rows, *columns;
};
void gemm_packed(int64_t m, int64_t n, int64_t k, const Indexed& a, const real* packed, bool add, real* c,
                 int64_t begin, int64_t end);

// gemm() of contiguous matrices, without `add`, in blocks over the threads; the epilogue runs on each block while it
// is in cache. The blocks depend on the sizes alone.
void gemm_blocked(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c,
                  const Finish* finish = nullptr);

// out = the sum of `parts` arrays of n numbers that lie one after the other in `partial`, added in order.
void add_in_order(int64_t parts, int64_t n, const real* partial, real* out);

// out = a sum over [0, count) of arrays of n numbers. f(begin, end, to) sets `to` to the sum over a part of the range.
// The parts depend on the sizes alone: at most 64, fewer if their arrays are large.
template <class F>
void sum_in_parts(int64_t count, int64_t n, real* out, F f) {
  const int64_t most = std::clamp<int64_t>((1 << 22) / std::max<int64_t>(1, n), 8, 64),
                part = std::max<int64_t>(1, (count + most - 1) / most), parts = (count + part - 1) / part;
  const Storage partial(parts * n);
  parallel_for(parts, [&](int64_t i) { f(i * part, std::min(count, (i + 1) * part), partial.data + i * n); });
  add_in_order(parts, n, partial.data, out);
}

// See set_blas of ops/matmul.h.
void use_blas(bool on);
bool uses_blas();  // packed matrices are for one of the two only

}  // namespace evenkeel
