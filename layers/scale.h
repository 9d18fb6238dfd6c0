// Scale: y = c x, for a fixed number c. Before a loss, c < 1 makes large logits less certain.
#pragma once
#include "layer.h"

namespace evenkeel {

struct Scale : Layer {
  explicit Scale(real by) : factor(by) {}
  Tensor forward(const Tensor& x, Mode) override { return x * factor; }
  Shape output_shape(const Shape& input) override { return input; }
  std::string describe() const override { return fmt::format("scale:{}", factor); }

  real factor;
};

}  // namespace evenkeel
