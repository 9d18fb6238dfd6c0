// Groups of parameters that have learning rates and weight decays of their own.
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
    option("lr", o.lr, Range{0, 1e9}, "by what the learning rate is multiplied");
    option("decay", o.decay, Range{0, 1e9}, "by what the weight decay is multiplied");
  }
};

// "0.bias *.bias:lr=64:decay=0.015625": words PATTERN[:lr=1][:decay=1]. A parameter has the factors of the first
// pattern that its name matches, 1 where none does; * stands for any characters. The step is lr lr_factor, and its
// decay weight_decay decay_factor: decay = 1/lr leaves the product of the two as it is. Error(Fault::usage) where a
// pattern matches no parameter that an earlier one has left.
std::vector<Parameter> grouped(std::vector<Parameter> parameters, const std::string& groups);

}  // namespace evenkeel
