#include "core/ops/matmul.h"

#include "core/kernels/gemm.h"

namespace evenkeel {

// The derivative is two more matmuls, so no transpose op is needed.
Tensor matmul(const Tensor& a, const Tensor& b, bool ta, bool tb, const Epilogue& then) {
  check(a.shape().rank() == 2 && b.shape().rank() == 2, "matmul: both must have rank 2, got {} and {}; reshape them",
        a.shape(), b.shape());
  const int64_t m = a.dim(ta), k = a.dim(!ta), n = b.dim(!tb);
  check(b.dim(tb) == k, "matmul: inner sizes differ: {}{} x {}{}", a.shape(), ta ? " transposed" : "", b.shape(),
        tb ? " transposed" : "");
  if (!then.differentiable() && recording()) return then(matmul(a, b, ta, tb));
  Tensor y = Tensor::empty({m, n});
  const Finish finish = then.finish(y);
  gemm_blocked(ta, tb, m, n, k, a.data(), b.data(), y.mutable_data(), &finish);
  std::vector<Tensor> inputs{a, b};
  then.append_inputs(inputs);
  return record(y, inputs, [=](const Tensor& out, const Tensor& g) {
    if (recording() && !then.nothing())
      return pull_back(
          [&](const std::vector<Tensor>& in) { return then.with_inputs(in, 2)(matmul(in[0], in[1], ta, tb)); }, inputs,
          g);
    Grads rest = then.backward(out, g), d(2);
    const Tensor h = rest[0];
    if (a.tracked()) d[0] = ta ? matmul(b, h, tb, true) : matmul(h, b, false, !tb);
    if (b.tracked()) d[1] = tb ? matmul(h, a, true, ta) : matmul(a, h, !ta, false);
    d.insert(d.end(), rest.begin() + 1, rest.end());
    return d;
  });
}

void set_blas(bool on) { use_blas(on); }

}  // namespace evenkeel
