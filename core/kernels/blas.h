// Matrix products by OpenBLAS: the benchmark compares with them, and set_blas() selects them.
#pragma once
#include <cstdint>

#include "core/base/scalar.h"

namespace evenkeel {

const char* blas_description();  // OpenBLAS's variant, or null where the build has none (EVENKEEL_BLAS=OFF)

// The same as gemm() of gemm.h, on the calling thread.
void blas_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b,
               int64_t ldb, bool add, real* c, int64_t ldc);

}  // namespace evenkeel
