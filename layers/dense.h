// Dense: y = x W^T + b.
#pragma once
#include "init.h"
#include "layer.h"

namespace evenkeel {

struct Dense : Layer {
  // x (N, in) -> (N, out). weight (out, in) is drawn by `init`; bias (out) begins at 0. forward(): Error if x has
  // another shape.
  Dense(int64_t in, int64_t out, Random& random, bool with_bias = true, const Init& init = {})
      : weight(initial_weight({out, in}, init, random)) {
    if (with_bias) bias = Tensor::zeros({out}).track();
  }
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode, const Epilogue& then) override {
    check_input(x.shape());
    return linear(x, weight, bias, then);
  }
  void visit(Visitor& v) override {
    v.parameter("weight", weight, true);
    if (bias.defined()) v.parameter("bias", bias, false);
  }
  Shape output_shape(const Shape& input) override {
    check_input(batch_of_one(input));
    return {weight.dim(0)};
  }
  double multiply_adds(const Shape&) override { return static_cast<double>(weight.size()); }
  std::string describe() const override {
    return fmt::format("dense:{}{}", weight.dim(0), no_bias && !bias.defined() ? ":bias=off" : "");
  }

  Owned weight, bias;
  bool no_bias = false;  // as a Conv2d's

 private:
  void check_input(const Shape& x) const {
    check(x.rank() == 2 && x[1] == weight.dim(1), "dense: x must be (N, {}), got {}", weight.dim(1), x);
  }
};

}  // namespace evenkeel
