// Parameter: what a layer has to be trained and an optimiser trains; neither need know the other.
#pragma once
#include <string>

#include "tensor.h"

namespace evenkeel {

struct Parameter {
  std::string name;
  Tensor value;  // a handle: the layer's own
  bool decay;    // whether weight decay applies to it
};

}  // namespace evenkeel
