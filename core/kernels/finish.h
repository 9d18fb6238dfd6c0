// The epilogue of a product or a convolution, done to each block of the result while it is in cache.
#pragma once
#include <cstdint>
#include <vector>

#include "core/kernels/simd.h"

namespace evenkeel {

// y = relu(v + bias + add) on raw memory: y (rows, channels) is finished block by block as it is written.
class Finish {
 public:
  Finish() = default;  // nothing
  // A bias for each channel; `add` of y's size, or null.
  Finish(const real* y, std::vector<real> bias, const real* add, bool relu);
  explicit operator bool() const { return y_ != nullptr; }  // whether there is anything to do
  // `rows` x `columns` numbers at `to`, which lies in y and in its channel `channel`; y's rows are neighbours.
  void operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const;
  // The Vec of channels that is to be written there.
  Vec operator()(Vec v, const real* to, int64_t channel) const {
    v += Vec(vec(bias_.data() + channel));
    if (add_) v += Vec(vec(add_ + (to - y_)));
    return relu_ ? (v < Vec{} ? Vec{} : v) : v;  // NaN stays NaN
  }

 private:
  const real *y_ = nullptr, *add_ = nullptr;
  bool relu_ = false;
  std::vector<real> bias_;
};

}  // namespace evenkeel
