// Conv2d: a convolution (core/ops/conv.h has its formula) and a bias per filter.
#pragma once
#include <algorithm>

#include "init.h"
#include "layer.h"

namespace evenkeel {

struct Conv2d : Layer {
  // x (N, H, W, C) -> (N, P, Q, K) with P = (H + 2 padding - size) / stride + 1, rounded down, and Q of W in the same
  // way. weight (K, size, size, C / groups) is drawn by `init`; bias (K) begins at 0. Error if size or stride is
  // below 1, padding negative, or groups does not divide channels and filters. forward(): Error if x has other
  // channels, or if the window does not fit into the padded image.
  Conv2d(int64_t channels, int64_t filters, int64_t size, const ConvOptions& conv_options, Random& random,
         bool with_bias = true, const Init& init = {})
      : options(conv_options),
        weight(
            initial_weight({filters, size, size, channels / std::max<int64_t>(1, conv_options.groups)}, init, random)) {
    conv2d_shape({1, size, size, channels}, weight.shape(), options);  // checks them
    if (with_bias) bias = Tensor::zeros({filters}).track();
  }
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode, const Epilogue& then) override {
    return conv2d(x, weight, options, bias, then);
  }
  bool pools() const override { return true; }
  void visit(Visitor& v) override {
    v.parameter("weight", weight, true);
    if (bias.defined()) v.parameter("bias", bias, false);
  }
  Shape output_shape(const Shape& input) override {
    return one_example(conv2d_shape(batch_of_one(input), weight.shape(), options));
  }
  double multiply_adds(const Shape& input) override {
    return static_cast<double>(output_shape(input).rows()) * static_cast<double>(weight.size());
  }
  std::string describe() const override {
    std::string s = fmt::format("conv:{}:{}", weight.dim(0), weight.dim(1));
    if (options.stride != 1) s += fmt::format(":stride={}", options.stride);
    if (options.padding != weight.dim(1) / 2) s += fmt::format(":pad={}", options.padding);
    if (options.groups != 1) s += fmt::format(":groups={}", options.groups);
    if (no_bias && !bias.defined()) s += ":bias=off";
    return s;
  }

  ConvOptions options;
  Owned weight, bias;
  bool no_bias = false;  // the model's text says bias=off; otherwise only a norm that cancels it removes the bias

 protected:
  Conv2d() = default;
};

}  // namespace evenkeel
