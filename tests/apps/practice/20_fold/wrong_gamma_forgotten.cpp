// caught by: scale
#include <evenkeel/practice.h>

using namespace evenkeel;

// A convolution that computes, in Mode::eval, what conv and then norm compute.
// conv.weight has the shape (K, R, S, C): K filters. conv.bias has the shape (K), or is not defined.
// norm has gamma, beta, running_mean, running_var, all (K), and options.eps.
Conv2d fold(const Conv2d& conv, const BatchNorm& norm) {
  Conv2d folded = conv;  // a copy, with the same stride and padding
  const Tensor scale = (rsqrt(norm.running_var + norm.options.eps)).detach();
  const Shape filters{conv.weight.dim(0), conv.weight.size() / conv.weight.dim(0)};
  const Tensor scaled = reshape(conv.weight, filters) * spread_channels(scale, filters);
  folded.weight = reshape(scaled, conv.weight.shape()).detach();
  const Tensor bias = conv.bias.defined() ? conv.bias.detach() : Tensor::zeros(scale.shape());
  folded.bias = (scale * (bias - norm.running_mean) + norm.beta).detach();
  return folded;
}
