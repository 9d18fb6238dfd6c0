#include "core/ops/per_channel.h"

#include "core/ops/reduce.h"

namespace evenkeel {
namespace {

// y[r, c] = f(x[r, c], v[c]), a constant.
template <class F>
Tensor map_per_channel(const char* op, const Tensor& x, const Tensor& v, F f) {
  check(v.shape() == Shape{x.channels()}, "{}: {} needs one value a channel, got {}", op, x.shape(), v.shape());
  Tensor y = Tensor::empty(x.shape());
  const int64_t channels = x.channels();
  const real *in = x.data(), *each = v.data();
  real* out = y.mutable_data();
  parallel_blocks(x.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) out[r * channels + c] = f(in[r * channels + c], each[c]);
  });
  return y;
}

}  // namespace

Tensor add_per_channel(const Tensor& x, const Tensor& b) {
  const Tensor y = map_per_channel("add_per_channel", x, b, [](real v, real shift) { return v + shift; });
  return record(y, {x.without_values(), b.without_values()}, [tracked = b.tracked()](const Tensor& g) {
    return Grads{g, tracked ? sum_rows(g) : Tensor()};
  });
}

Tensor scale_per_channel(const Tensor& x, const Tensor& s) {
  const Tensor y = map_per_channel("scale_per_channel", x, s, [](real v, real scale) { return v * scale; });
  return record(y, {x, s}, [x, s](const Tensor& g) {
    return Grads{x.tracked() ? scale_per_channel(g, s) : Tensor(), s.tracked() ? sum_rows(g * x) : Tensor()};
  });
}

}  // namespace evenkeel
