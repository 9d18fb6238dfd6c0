// Matrix products on raw memory: the kernel under dense layers and convolutions.
#pragma once
#include <cstdint>

#include "core/tensor.h"

namespace evenkeel {

// C (m x n) = op(A) op(B), or += if `add`, all row-major: A is m x k (k x m if ta) with rows lda apart, and so on. On the calling
// thread.
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b, int64_t ldb, bool add,
          real* c, int64_t ldc);

// The same, contiguous and without adding, in blocks over the threads. The blocks depend on the sizes alone.
void gemm_blocked(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c);

// out = the sum of `parts` arrays of n numbers that lie one after the other in `partial`, added in order.
void add_in_order(int64_t parts, int64_t n, const real* partial, real* out);

const char* blas_description();  // the variant in use, for reports

}  // namespace evenkeel
