// The epilogue of an op: an addition and a ReLU, fused into the kernel that writes the result.
#pragma once
#include "../engine/autograd.h"

namespace evenkeel {

class Finish;  // core/kernels/finish.h

// y = relu(v + add), each part if given.
struct Epilogue {
  Tensor add = {};  // of v's shape
  bool relu = false;

  Tensor operator()(Tensor v) const;  // the definition, made of ops

  // For an op v = product(x, w) that is linear in x and in w, and has a bias (C) or an undefined one.
  // What its kernel does to each block of y = relu(v + bias + add).
  Finish finish(const Tensor& bias, const Tensor& y) const;
  // Records that y. `adjoints` makes, from dL/dv, the gradients of x and w.
  Tensor record(Tensor y, const Tensor& x, const Tensor& w, const Tensor& bias,
                std::function<Tensor(const Tensor& x, const Tensor& w)> product,
                std::function<Grads(const Tensor& dv)> adjoints, const char* op = __builtin_FUNCTION()) const;
};

}  // namespace evenkeel
