#include <evenkeel/practice.h>

using namespace evenkeel;

// A convolution that computes, in Mode::eval, what conv and then norm compute.
// conv.weight has the shape (K, R, S, C): K filters. conv.bias has the shape (K), or is not defined.
// norm has gamma, beta, running_mean, running_var, all (K), and options.eps.
Conv2d fold(const Conv2d& conv, const BatchNorm& norm) {
  Conv2d folded = conv;  // a copy, with the same stride and padding
  // folded.weight = ...;
  // folded.bias = ...;
  return folded;
}
