// Layer normalisation (Ba, Kiros and Hinton 2016): each example over all its features; the same in training and
// inference.
#pragma once
#include "group_norm.h"

namespace evenkeel {

// x (N, ..., C): mean and variance per example over all positions and channels, gamma and beta (C) per channel.
struct LayerNorm : GroupNorm {
  explicit LayerNorm(int64_t channels, real epsilon = default_eps) : GroupNorm("layer", channels, 1, epsilon) {}
  std::string describe() const override { return "layer" + describe_options(EpsOptions{eps}); }
};

}  // namespace evenkeel
