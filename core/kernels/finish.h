// The epilogue of a product or a convolution, applied to each block of the result while it is in cache.
#pragma once
#include <cstdint>
#include <vector>

#include "core/kernels/simd.h"

namespace evenkeel {

// y = relu(v + bias + add) on raw memory, y (rows, channels), applied block by block as y is written.
class Finish {
 public:
  Finish() = default;  // nothing
  // `bias`: one per channel; `add`: of y's size, or null.
  Finish(const real* y, std::vector<real> bias, const real* add, bool relu);
  explicit operator bool() const { return y_ != nullptr; }  // whether there is anything to do
  // Finishes `rows` x `columns` numbers at `to`, which points into y at channel `channel`; y's rows are contiguous.
  void operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const;
  // The Vec of channels to write at `to`.
  Vec operator()(Vec v, const real* to, int64_t channel) const {
    v += Vec(vec(bias_.data() + channel));
    if (add_) v += Vec(vec(add_ + (to - y_)));
    return relu_ ? (v < Vec{} ? Vec{} : v) : v;  // NaN stays NaN
  }
  // The same for the channels from `channel` on: at(channel)(v, to).
  auto at(int64_t channel) const {
    return [this, channel](Vec v, const real* to) { return (*this)(v, to, channel); };
  }

 private:
  const real *y_ = nullptr, *add_ = nullptr;
  bool relu_ = false;
  std::vector<real> bias_;
};

// y = finish(v): rows of k channels, `step` apart in v, contiguous in y. `streamed`: by non-temporal stores, for which
// k is a multiple of `lanes`; call stream_end() after the last.
void write_rows(const real* v, int64_t rows, int64_t k, int64_t step, const Finish& finish, bool streamed, real* y);

}  // namespace evenkeel
