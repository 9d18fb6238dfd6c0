// Parameter groups with their own learning rates and weight decays.
#pragma once
#include <string>
#include <vector>

#include "../core/base/options.h"
#include "../core/engine/parameter.h"

namespace evenkeel {

struct GroupOptions {
  real lr = 1;
  real decay = 1;

  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0, 1e9}, "factor on the learning rate");
    option("decay", o.decay, Range{0, 1e9}, "factor on the weight decay");
  }
};

// "0.bias *.bias:lr=64:decay=0.015625": words PATTERN[:lr=1][:decay=1]; * matches any characters. A parameter gets the
// factors of the first pattern that its name matches, or 1. Its learning rate is lr lr_factor, its weight decay
// weight_decay decay_factor: with decay = 1/lr their product does not change. Error(Fault::usage) if a pattern matches
// no parameter, or only parameters that an earlier pattern matches, or has more than four *.
std::vector<Parameter> grouped(std::vector<Parameter> parameters, const std::string& groups);

}  // namespace evenkeel
