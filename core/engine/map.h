// Elementwise loops over tensors of one shape: y_i = f(x_i), f(a_i, b_i), f(a_i, b_i, c_i). The kernels of the
// elementwise ops. To add an op of one input, give unary() the function and its derivative.
#pragma once
#include "../base/parallel.h"
#include "../base/scalar.h"
#include "autograd.h"

namespace evenkeel {

// The result is a constant; record() makes it differentiable.
template <class F, class... Reals>
Tensor map_onto(const Shape& shape, F f, const Reals*... in) {
  Tensor y = Tensor::empty(shape);
  real* out = y.mutable_data();
  parallel_blocks(y.size(), elementwise_block, [=](int64_t begin, int64_t end) {
    const F local = f;  // keeps f's captures in registers: `out` could alias f, but not a local copy
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] = local(in[i]...);
  });
  return y;
}

template <class F>
Tensor map(const Tensor& x, F f) {
  return map_onto(x.shape(), f, x.data());
}

template <class F>
Tensor map(const Tensor& a, const Tensor& b, F f) {
  check(a.shape() == b.shape(), "elementwise: shapes must agree, got {} and {}", a.shape(), b.shape());
  return map_onto(a.shape(), f, a.data(), b.data());
}

template <class F>
Tensor map(const Tensor& a, const Tensor& b, const Tensor& c, F f) {
  check(a.shape() == b.shape() && a.shape() == c.shape(), "elementwise: shapes must agree, got {}, {} and {}",
        a.shape(), b.shape(), c.shape());
  return map_onto(a.shape(), f, a.data(), b.data(), c.data());
}

// y = f(x), and pull(x, y, g) = g f'(x), a generic lambda. Called with numbers it computes the first derivative in one
// pass; called with tensors it consists of ops, and gives every higher derivative. abs, exp, log, sigmoid, sqrt, tanh
// and others are there for both (core/base/scalar.h).
template <class F, class Pull>
Tensor unary(const Tensor& x, F f, Pull pull, const char* op = __builtin_FUNCTION()) {
  return record(
      map(x, f), {x},
      [x, pull](const Tensor& y, const Tensor& g) { return Grads{recording() ? pull(x, y, g) : map(x, y, g, pull)}; },
      op);
}

}  // namespace evenkeel
