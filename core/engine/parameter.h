// Parameter: a tensor that a layer owns and an optimiser updates.
#pragma once
#include <string>

#include "tensor.h"

namespace evenkeel {

struct Parameter {
  std::string name;
  Tensor value;  // a handle to the layer's tensor
  bool decay;    // whether weight decay applies to it
  // Multiply the optimiser's learning rate and weight decay for this parameter; see optim/groups.h.
  real lr_factor = 1, decay_factor = 1;
};

}  // namespace evenkeel
