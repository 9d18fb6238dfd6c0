#include "core/kernels/blas.h"

#include <algorithm>

#include "core/base/check.h"

#ifdef EVENKEEL_BLAS
#include <cblas.h>

extern "C" {  // of OpenBLAS; not every cblas.h declares them
// OpenBLAS calls this before it starts its threads, when the program is loaded. Where a program can replace a library's
// symbols (shared ELF libraries), OpenBLAS then starts no threads. We never use them; each takes 128 MB of address
// space, and OpenBLAS hangs if it cannot get it.
[[gnu::weak]] int openblas_num_threads_env() { return 1; }
void openblas_set_num_threads(int);
char* openblas_get_config();
}

namespace evenkeel {
namespace {

#ifdef EVENKEEL_DOUBLE
constexpr auto multiply = cblas_dgemm;
#else
constexpr auto multiply = cblas_sgemm;
#endif

}  // namespace

const char* blas_description() { return openblas_get_config(); }

void blas_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b,
               int64_t ldb, bool add, real* c, int64_t ldc) {
  // OpenBLAS's threads beside ours make products 3 to 14 times slower, and its results depend on their number.
  static const bool pinned = (openblas_set_num_threads(1), true);
  check(pinned && std::max({m, n, k, lda, ldb, ldc}) <= INT32_MAX, "gemm: sizes must fit 32 bits, got {} x {} x {}", m,
        n, k);
  multiply(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(m),
           static_cast<int>(n), static_cast<int>(k), 1, a, static_cast<int>(lda), b, static_cast<int>(ldb), add, c,
           static_cast<int>(ldc));
}

}  // namespace evenkeel
#else
namespace evenkeel {

const char* blas_description() { return nullptr; }

void blas_gemm(bool, bool, int64_t, int64_t, int64_t, const real*, int64_t, const real*, int64_t, bool, real*,
               int64_t) {
  fail(Fault::missing, "gemm: this build has no OpenBLAS");
}

}  // namespace evenkeel
#endif
