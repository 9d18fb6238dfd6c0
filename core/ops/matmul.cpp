#include "core/ops/matmul.h"

#include "core/base/parallel.h"
#include "core/kernels/bf16.h"
#include "core/kernels/finish.h"
#include "core/kernels/gemm.h"

namespace evenkeel {
namespace {

Tensor product(const char* op, const Tensor& a, const Tensor& b, bool ta, bool tb, const Tensor& bias,
               const Epilogue& then) {
  check(a.shape().rank() == 2 && b.shape().rank() == 2, "{}: both must have rank 2, got {} and {}; reshape them", op,
        a.shape(), b.shape());
  const int64_t m = a.dim(ta), k = a.dim(!ta), n = b.dim(!tb);
  check(b.dim(tb) == k, "{}: inner sizes differ: {}{} x {}{}", op, a.shape(), ta ? " transposed" : "", b.shape(),
        tb ? " transposed" : "");
  Tensor y = Tensor::empty({m, n});
  const Finish finish = then.finish(op, bias, y);
  gemm_blocked(ta, tb, m, n, k, a.data(), b.data(), y.mutable_data(), &finish);
  return y;
}

}  // namespace

// The derivative is two more matmuls, so no transpose op is needed.
Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb) {
  return record(product("matmul", a, b, ta, tb, {}, {}), {a, b}, [=](const Tensor& g) {
    return Grads{a.tracked() ? ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb) : Tensor(),
                 b.tracked() ? tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false) : Tensor()};
  });
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, const Epilogue& then) {
  return then.record(
      product("linear", x, w, false, true, bias, then), x, w, bias,
      [](const Tensor& a, const Tensor& b) { return matmul(a, b, false, true); },
      [=](const Tensor& dv) {
        return Grads{x.tracked() ? matmul(dv, w) : Tensor(), w.tracked() ? matmul(dv, x, true) : Tensor()};
      });
}

void set_blas(bool on) { use_blas(on); }

bool bf16_in_hardware() {
  if constexpr (bf16_exists) return has_amx();
  return false;
}

UsePrecision::UsePrecision(Precision precision) : before_(thread_settings().bf16) {
  check(precision == Precision::float32 || bf16_exists,
        "UsePrecision: products in bf16 are for the library of float, and this is the one of double");
  thread_settings().bf16 = precision == Precision::bf16;
}
UsePrecision::~UsePrecision() { thread_settings().bf16 = before_; }

}  // namespace evenkeel
