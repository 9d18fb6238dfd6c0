// Layer normalisation (Ba, Kiros and Hinton 2016): each example over all its features; the same in training and
// inference.
#pragma once
#include "norm_options.h"

namespace evenkeel {

struct LayerNorm : Layer {
  // x (N, ..., C): mean and variance per example over all positions and channels, gamma and beta (C) per channel.
  explicit LayerNorm(int64_t channels, real epsilon = default_eps)
      : eps(epsilon), gamma(Tensor::full({channels}, 1).track()), beta(Tensor::zeros({channels}).track()) {
    check_options("layer", EpsOptions{eps});
  }
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode, const Epilogue& then) override {
    return layer_norm(x, gamma, beta, eps, then);
  }
  void visit(Visitor& v) override {
    v.parameter("weight", gamma, false);
    v.parameter("bias", beta, false);
  }
  Shape output_shape(const Shape& input) override {
    check(input.channels() == gamma.size(), "layer_norm: x must have {} channels, got {}", gamma.size(), input);
    check_groups(batch_of_one(input), 1);
    return input;
  }
  std::string describe() const override { return "layer" + describe_options(EpsOptions{eps}); }

  real eps;
  Owned gamma, beta;
};

}  // namespace evenkeel
