// What follows a product or a convolution, channel by channel, done as the result is written, while it is in cache.
#pragma once
#include "core/engine/autograd.h"

namespace evenkeel {

class Finish;  // core/kernels/finish.h

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
  Finish finish(const Tensor& y) const;  // for a kernel that writes y
  void append_inputs(std::vector<Tensor>& inputs) const;
  Epilogue with_inputs(const std::vector<Tensor>& inputs, size_t first) const;
  // From y and dL/dy: dL/dv, and then what belongs to the inputs that were appended.
  Grads backward(const Tensor& y, const Tensor& g) const;
};

}  // namespace evenkeel
