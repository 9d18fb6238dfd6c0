// Elementwise activation functions as layers: y_i = f(x_i), x of any shape.
#pragma once
#include "layer.h"

namespace evenkeel {

struct Activation : Layer {
  using Function = Tensor (*)(const Tensor&);
  // `activation`: its description, as a model's text names it. Error if f is null.
  Activation(std::string activation, Function f) : name(std::move(activation)), function(f) {
    check(function != nullptr, "{}: its function is null", name);
  }
  Tensor forward(const Tensor& x, Mode) override { return function(x); }
  Shape output_shape(const Shape& input) override { return input; }
  std::string describe() const override { return name; }

  std::string name;
  Function function;
};

struct Relu : Activation {  // max(x, 0)
  Relu() : Activation("relu", relu) {}
};
struct Sigmoid : Activation {  // 1 / (1 + exp(-x))
  Sigmoid() : Activation("sigmoid", sigmoid) {}
};
struct Tanh : Activation {  // the hyperbolic tangent
  Tanh() : Activation("tanh", tanh) {}
};

}  // namespace evenkeel
