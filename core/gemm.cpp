#include "core/gemm.h"

#include <cblas.h>

#include <algorithm>

#include "core/parallel.h"

extern "C" {  // OpenBLAS's own, not in every cblas.h
void openblas_set_num_threads(int);
char* openblas_get_config();
}

namespace evenkeel {
namespace {

#ifdef EVENKEEL_DOUBLE
constexpr auto blas_gemm = cblas_dgemm;
#else
constexpr auto blas_gemm = cblas_sgemm;
#endif

// OpenBLAS's threads mixed with ours would cost three to fourteen times the work, and its results would change with their number.
const bool pinned = [] {
  openblas_set_num_threads(1);
  return true;
}();

}  // namespace

const char* blas_description() { return openblas_get_config(); }

void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, int64_t lda, const real* b, int64_t ldb, real beta,
          real* c, int64_t ldc) {
  check(pinned && std::max({m, n, k, lda, ldb, ldc}) <= INT32_MAX, "gemm: sizes must fit 32 bits, got {} x {} x {}", m, n, k);
  if (k == 0) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? real(0) : beta * c[i * ldc + j];
    return;
  }
  blas_gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(n),
            static_cast<int>(k), 1, a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
}

void add_in_order(int64_t parts, int64_t n, const real* partial, real* out) {
  parallel_blocks(n, 1 << 13, [=](int64_t begin, int64_t end) {
    std::copy(partial + begin, partial + end, out + begin);
    for (int64_t i = 1; i < parts; ++i)
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) out[j] += partial[i * n + j];
  });
}

void gemm_blocked(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real* a, const real* b, real* c) {
  const int64_t lda = ta ? m : k, ldb = tb ? k : n;
  constexpr int64_t serial = int64_t{1} << 19;  // multiply-adds below which waking a thread costs more than it saves
  if (m * n * k <= serial) return gemm(ta, tb, m, n, k, a, lda, b, ldb, 0, c, n);

  // A long inner dimension over a small result: partial products, added in order.
  constexpr int64_t inner = 2048;
  if (k >= 2 * inner && m * n <= 512 * 1024) {
    const int64_t parts = (k + inner - 1) / inner;
    Tensor partial = Tensor::empty({parts, m * n});
    real* p = partial.data();
    parallel_for(parts, [&](int64_t i) {
      const int64_t begin = i * inner, length = std::min(inner, k - begin);
      gemm(ta, tb, m, n, length, a + begin * (ta ? m : 1), lda, b + begin * (tb ? 1 : n), ldb, 0, p + i * m * n, n);
    });
    return add_in_order(parts, m * n, p, c);
  }
  // Blocks of rows or of columns, whichever side is longer: at least two, and enough work in each.
  const bool by_rows = m >= n;
  const int64_t side = by_rows ? m : n, other = by_rows ? n : m;
  const int64_t wanted = std::max<int64_t>(serial / 2 / std::max<int64_t>(1, other * k), 1);
  const int64_t block =
      std::clamp<int64_t>(std::max<int64_t>((wanted + 15) / 16 * 16, 64), 1, std::max<int64_t>(16, (side / 2 + 15) / 16 * 16));
  parallel_blocks(side, block, [&](int64_t begin, int64_t end) {
    if (by_rows)
      gemm(ta, tb, end - begin, n, k, a + begin * (ta ? 1 : k), lda, b, ldb, 0, c + begin * n, n);
    else
      gemm(ta, tb, m, end - begin, k, a, lda, b + begin * (tb ? k : 1), ldb, 0, c + begin, n);
  });
}

}  // namespace evenkeel
