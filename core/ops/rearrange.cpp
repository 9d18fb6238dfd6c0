#include "core/ops/rearrange.h"

#include "core/base/parallel.h"

namespace evenkeel {
namespace {

// Every (a, b) matrix of x transposed, n of them.
void transpose(const real* x, real* y, int64_t n, int64_t a, int64_t b) {
  parallel_blocks(n, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, a * b)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < b; ++j)
        for (int64_t k = 0; k < a; ++k) y[i * a * b + j * a + k] = x[i * a * b + k * b + j];
  });
}

}  // namespace

Tensor to_channels_first(const Tensor& x) {
  check(x.shape().rank() == 4, "to_channels_first: x must be (N, H, W, C), got {}", x.shape());
  const Shape& s = x.shape();
  Tensor y = Tensor::empty({s[0], s[3], s[1], s[2]});
  transpose(x.data(), y.mutable_data(), s[0], s[1] * s[2], s[3]);
  return record(y, {x}, [](const Tensor&, const Tensor& g) { return Grads{to_channels_last(g)}; });
}

Tensor to_channels_last(const Tensor& x) {
  check(x.shape().rank() == 4, "to_channels_last: x must be (N, C, H, W), got {}", x.shape());
  const Shape& s = x.shape();
  Tensor y = Tensor::empty({s[0], s[2], s[3], s[1]});
  transpose(x.data(), y.mutable_data(), s[0], s[1], s[2] * s[3]);
  return record(y, {x}, [](const Tensor&, const Tensor& g) { return Grads{to_channels_first(g)}; });
}

}  // namespace evenkeel
