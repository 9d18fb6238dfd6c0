// Dropout (Srivastava et al. 2014): in training each value becomes 0 with probability p, the others are divided by
// 1 - p; in inference y = x. Any shape. Error unless 0 <= p < 1, from forward() in training.
#pragma once
#include "layer.h"

namespace evenkeel {

struct Dropout : Layer {
  // Draws the name of its own stream from `source`, so two layers made from one generator never share a mask.
  Dropout(real probability, Random& source) : p(probability), random(source.split(source.bits())) {}
  Tensor forward(const Tensor& x, Mode mode) override {
    if (mode == Mode::train) return dropout(x, p, random);
    if (mode == Mode::eval) return x;
    Random same = random;  // a probe uses the next step's mask and leaves the stream unchanged
    return dropout(x, p, same);
  }
  void visit(Visitor& v) override { v.stream("random", random); }
  Shape output_shape(const Shape& input) override { return input; }
  std::string describe() const override { return fmt::format("dropout:{}", p); }

  real p;
  Random random;
};

}  // namespace evenkeel
