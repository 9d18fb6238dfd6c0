#include "core/matmul.h"

#include "core/gemm.h"

namespace evenkeel {

// The derivative is two more matmuls, so no transpose op is needed.
Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb) {
  check(a.shape().rank() == 2 && b.shape().rank() == 2, "matmul: both must have rank 2, got {} and {}; reshape them", a.shape(), b.shape());
  const int64_t m = a.dim(ta), k = a.dim(!ta), n = b.dim(!tb);
  check(b.dim(tb) == k, "matmul: inner sizes differ: {}{} x {}{}", a.shape(), ta ? " transposed" : "", b.shape(), tb ? " transposed" : "");
  Tensor y = Tensor::empty({m, n});
  gemm_blocked(ta, tb, m, n, k, a.data(), b.data(), y.data());
  return record(y, {a, b}, [=](const Tensor&, const Tensor& g) {
    Grads d(2);
    if (a.tracked()) d[0] = ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb);
    if (b.tracked()) d[1] = tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false);
    return d;
  });
}

}  // namespace evenkeel
