// Dropout: in training each value is zero with probability p, the others grow by 1 / (1 - p).
#pragma once
#include "layer.h"

namespace evenkeel {

struct Dropout : Layer {
  // Draws the name of its stream, as other layers draw their weights: no two layers made from one generator share a
  // mask.
  Dropout(real probability, Random& source) : p(probability), random(source.split(source.bits())) {}
  Tensor forward(const Tensor& x, Mode mode) override {
    if (mode == Mode::train) return dropout(x, p, random);
    if (mode == Mode::eval) return x;
    Random same = random;  // a probe is the step that would come next, and moves nothing
    return dropout(x, p, same);
  }
  void visit(Visitor& v) override { v.stream("random", random); }
  Shape output_shape(const Shape& input) override { return input; }
  std::string describe() const override { return fmt::format("dropout:{}", p); }

  real p;
  Random random;
};

}  // namespace evenkeel
