// The epilogue of a product or a convolution: bias, scale, addition and ReLU, fused into the kernel that writes the
// result.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

class Finish;  // core/kernels/finish.h

// y = relu(v scale + shift + add), each part if given. A bias is a shift; batch normalisation in inference is a scale
// and a shift.
struct Epilogue {
  Tensor scale = {}, shift = {};  // (C)
  Tensor add = {};                // of v's shape
  bool relu = false;

  Tensor operator()(Tensor v) const;           // made of ops
  Epilogue after_bias(const Tensor& b) const;  // the epilogue of v that equals this one of v + b; b may be undefined

  // For ops that take one: its tensors as inputs of the op, the same epilogue on other tensors, its gradient.
  bool nothing() const { return !scale.defined() && !shift.defined() && !add.defined() && !relu; }
  bool per_channel() const { return scale.defined() || shift.defined(); }
  bool differentiable() const { return !scale.defined(); }  // by the op's own gradient; else the op uses operator()
  Finish finish(const Tensor& y) const;                     // for a kernel that writes y
  void append_inputs(std::vector<Tensor>& inputs) const;
  Epilogue with_inputs(const std::vector<Tensor>& inputs, size_t first) const;
  // From y and dL/dy: dL/dv, then the gradients of the appended inputs.
  Grads backward(const Tensor& y, const Tensor& g) const;
};

}  // namespace evenkeel
