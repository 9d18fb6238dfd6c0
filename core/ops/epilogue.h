// What follows a product or a convolution, channel by channel, done as the result is written, while it is in cache.
#pragma once
#include "core/engine/autograd.h"
#include "core/kernels/simd.h"

namespace evenkeel {

// y = relu(v scale + shift + add), each part if given. A bias is a shift; batch normalisation in inference is a scale and a shift.
struct Epilogue {
  Tensor scale = {}, shift = {};  // (C)
  Tensor add = {};                // of v's shape
  bool relu = false;

  Tensor operator()(Tensor v) const;             // made of ops
  Epilogue after_bias(const Tensor& b) const;    // what follows v so that this follows v + b; b may be undefined

  // For ops that take one: what it brings to their inputs, itself with others in their place, and its gradient.
  bool nothing() const { return !scale.defined() && !shift.defined() && !add.defined() && !relu; }
  bool per_channel() const { return scale.defined() || shift.defined(); }
  bool differentiable() const { return !scale.defined(); }  // by the ops themselves; else they leave it to operator()
  void append_inputs(std::vector<Tensor>& inputs) const;
  Epilogue with_inputs(const std::vector<Tensor>& inputs, size_t first) const;
  // From y and dL/dy: dL/dv, and then what belongs to the inputs that were appended.
  Grads backward(const Tensor& y, const Tensor& g) const;
};

// An epilogue on the raw memory of a y of so many channels.
class Finish {
 public:
  Finish() = default;  // nothing
  Finish(const Epilogue& epilogue, const Tensor& y);
  explicit operator bool() const { return y_ != nullptr; }  // whether there is anything to do
  // `rows` x `columns` numbers at `to`, which lies in y and in its channel `channel`; y's rows are neighbours.
  void operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const;
  // The Vec of channels that is to be written there.
  Vec operator()(Vec v, const real* to, int64_t channel) const {
    v = v * Vec(vec(scale_.data() + channel)) + Vec(vec(shift_.data() + channel));
    if (add_) v += Vec(vec(add_ + (to - y_)));
    return relu_ ? (v < Vec{} ? Vec{} : v) : v;  // NaN stays NaN
  }

 private:
  const real *y_ = nullptr, *add_ = nullptr;
  bool relu_ = false;
  int64_t channels_ = 0;
  std::vector<real> scale_, shift_;
};

}  // namespace evenkeel
