#include "core/ops/per_channel.h"

#include "core/ops/reduce.h"

namespace evenkeel {

Tensor add_per_channel(const Tensor& x, const Tensor& b) {
  check(b.shape() == Shape{x.channels()}, "add_per_channel: {} needs one value a channel, got {}", x.shape(),
        b.shape());
  Tensor y = Tensor::empty(x.shape());
  const int64_t channels = x.channels();
  const real *in = x.data(), *shift = b.data();
  real* out = y.mutable_data();
  parallel_blocks(x.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) out[r * channels + c] = in[r * channels + c] + shift[c];
  });
  return record(y, {x.without_values(), b.without_values()}, [tracked = b.tracked()](const Tensor& g) {
    return Grads{g, tracked ? sum_rows(g) : Tensor()};
  });
}

Tensor scale_per_channel(const Tensor& x, const Tensor& s) {
  check(s.shape() == Shape{x.channels()}, "scale_per_channel: {} needs one value a channel, got {}", x.shape(),
        s.shape());
  Tensor y = Tensor::empty(x.shape());
  const int64_t channels = x.channels();
  const real *in = x.data(), *scale = s.data();
  real* out = y.mutable_data();
  parallel_blocks(x.rows(), row_block(channels), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) out[r * channels + c] = in[r * channels + c] * scale[c];
  });
  return record(y, {x, s}, [x, s](const Tensor& g) {
    return Grads{x.tracked() ? scale_per_channel(g, s) : Tensor(), s.tracked() ? sum_rows(g * x) : Tensor()};
  });
}

}  // namespace evenkeel
