// Parameter: what a layer has to be trained and an optimiser trains; neither need know the other.
#pragma once
#include <string>

#include "tensor.h"

namespace evenkeel {

struct Parameter {
  std::string name;
  Tensor value;  // a handle: the layer's own
  bool decay;    // whether weight decay applies to it
  // Of a group of parameters: by what an optimiser multiplies its learning rate and its weight decay for this one.
  real lr_factor = 1, decay_factor = 1;
};

}  // namespace evenkeel
