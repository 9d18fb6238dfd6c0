// Elementwise loops over tensors of one shape: y_i = f(x_i), f(a_i, b_i). The kernels of the elementwise ops. To add an
// op of one input, give unary() the function and its derivative.
#pragma once
#include <algorithm>
#include <array>

#include "../base/parallel.h"
#include "../base/scalar.h"
#include "autograd.h"

namespace evenkeel {

// out = f(in...), up to `end`. Not inlined: a second copy of the loop, for the last elements, could have products and
// sums that the compiler contracts differently.
template <class F, class... Reals>
[[gnu::noinline]] void map_line(F f, real* out, const real* end, const Reals*... in) {
  const int64_t n = end - out;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
}

// y = f(in...), element by element; an input may be y's own values. The result is a constant; record() makes it
// differentiable. The last elements are computed as a whole vector too, so that an element's bits do not depend on its
// place.
template <class F, class... Reals>
Tensor map_onto(Tensor y, F f, const Reals*... in) {
  constexpr int64_t group = 64 / sizeof(real);  // the widest vector
  real* out = y.mutable_data();
  parallel_blocks(y.size(), elementwise_block, [=](int64_t begin, int64_t end) {
    const int64_t rest = (end - begin) % group, last = end - rest;
    map_line(f, out + begin, out + last, in + begin...);
    if (rest == 0) return;
    const auto padded = [=](const real* from) {
      std::array<real, group> line{};
      std::copy_n(from + last, rest, line.data());
      return line;
    };
    std::array<real, group> line;
    map_line(f, line.data(), line.data() + group, padded(in).data()...);
    std::copy_n(line.data(), rest, out + last);
  });
  return y;
}

template <class F>
Tensor map(const Tensor& x, F f) {
  return map_onto(Tensor::empty(x.shape()), f, x.data());
}

inline void check_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(),
        "{}: shapes must agree, got {} and {}; spread(), spread_rows() and spread_channels() repeat a smaller tensor",
        op, a.shape(), b.shape());
}

template <class F>
Tensor map(const Tensor& a, const Tensor& b, F f, const char* op = __builtin_FUNCTION()) {
  check_same_shape(op, a, b);
  return map_onto(Tensor::empty(a.shape()), f, a.data(), b.data());
}

// y = f(x), and pull(x, y, g) = g f'(x), a generic lambda. Called with numbers it computes the first derivative in one
// pass; called with tensors it consists of ops, and gives every higher derivative. abs, exp, log, sigmoid, sqrt, tanh
// and others are there for both (core/base/scalar.h).
template <class F, class Pull>
Tensor unary(const Tensor& x, F f, Pull pull, const char* op = __builtin_FUNCTION()) {
  return record(
      map(x, f), {x},
      [x, pull](const Tensor& y, const Tensor& g) {
        return Grads{recording() ? pull(x, y, g) : map_onto(reuse_or_empty(g), pull, x.data(), y.data(), g.data())};
      },
      op);
}

}  // namespace evenkeel
