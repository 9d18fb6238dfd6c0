// Group normalisation (Wu and He 2018): each example, each group of neighbouring channels; the same in training and
// inference.
#pragma once
#include "norm_options.h"

namespace evenkeel {

struct GroupNorm : Layer {
  // x (N, ..., C): mean and variance per example and group of C / groups channels over all positions, gamma and beta
  // (C) per channel.
  GroupNorm(int64_t channels, int64_t number_of_groups, real epsilon = default_eps)
      : GroupNorm("group", channels, number_of_groups, epsilon) {}
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode, const Epilogue& then) override {
    return group_norm(x, groups, gamma, beta, eps, then);
  }
  void visit(Visitor& v) override {
    v.parameter("weight", gamma, false);
    v.parameter("bias", beta, false);
  }
  Shape output_shape(const Shape& input) override {
    check(input.channels() == gamma.size(), "{}_norm: x must have {} channels, got {}", kind_, gamma.size(), input);
    check_groups(batch_of_one(input), groups);
    return input;
  }
  std::string describe() const override { return fmt::format("group:{}", groups) + describe_options(EpsOptions{eps}); }

  int64_t groups;
  real eps;
  Owned gamma, beta;

 protected:
  GroupNorm(const char* kind, int64_t channels, int64_t number_of_groups, real epsilon)
      : groups(number_of_groups),
        eps(epsilon),
        gamma(Tensor::full({channels}, 1).track()),
        beta(Tensor::zeros({channels}).track()),
        kind_(kind) {
    check(groups >= 1 && channels % groups == 0, "group_norm: {} channels cannot be cut into {} groups of one size",
          channels, groups);
    check_options(kind, EpsOptions{eps});
  }

 private:
  const char* kind_;  // for messages
};

// Instance normalisation (Ulyanov, Vedaldi and Lempitsky 2016): each example, each channel.
struct InstanceNorm : GroupNorm {
  explicit InstanceNorm(int64_t channels, real epsilon = default_eps)
      : GroupNorm("instance", channels, channels, epsilon) {}
  std::string describe() const override { return "instance" + describe_options(EpsOptions{eps}); }
};

}  // namespace evenkeel
