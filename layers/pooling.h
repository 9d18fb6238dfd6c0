// Pooling layers, and Flatten between images and dense layers. core/ops/pool.h has the shapes and the errors.
#pragma once
#include "layer.h"

namespace evenkeel {

// "maxpool:3:stride=2:pad=1"
inline std::string describe_pool(const char* name, const PoolOptions& o) {
  std::string s = fmt::format("{}:{}", name, o.size);
  if (o.stride != 0 && o.stride != o.size) s += fmt::format(":stride={}", o.stride);
  if (o.padding != 0) s += fmt::format(":pad={}", o.padding);
  return s;
}

struct MaxPool : Layer {  // (N, H, W, C) -> (N, P, Q, C): the maximum of each window
  explicit MaxPool(const PoolOptions& pool_options = {}) : options(pool_options) {}
  Tensor forward(const Tensor& x, Mode) override { return max_pool(x, options); }
  Shape output_shape(const Shape& input) override {
    return one_example(pool_shape("max_pool", batch_of_one(input), options));
  }
  std::string describe() const override { return describe_pool("maxpool", options); }
  PoolOptions options;
};

struct AvgPool : Layer {  // (N, H, W, C) -> (N, P, Q, C): the mean of each window
  explicit AvgPool(const PoolOptions& pool_options = {}) : options(pool_options) {}
  Tensor forward(const Tensor& x, Mode) override { return avg_pool(x, options); }
  Shape output_shape(const Shape& input) override {
    return one_example(pool_shape("avg_pool", batch_of_one(input), options));
  }
  std::string describe() const override { return describe_pool("avgpool", options); }
  PoolOptions options;
};

struct GlobalAvgPool : Layer {  // (N, H, W, C) -> (N, C): the mean over all pixels
  Tensor forward(const Tensor& x, Mode) override { return global_avg_pool(x); }
  Shape output_shape(const Shape& input) override {
    check(input.rank() == 3 && input[0] >= 1 && input[1] >= 1,
          "global_avg_pool: needs (N, H, W, C) with values, got {}", batch_of_one(input));
    return {input[2]};
  }
  std::string describe() const override { return "global_avgpool"; }
};

struct Flatten : Layer {  // (N, H, W, C) -> (N, C H W): features in PyTorch's order
  Tensor forward(const Tensor& x, Mode) override {
    const bool image = x.shape().rank() == 4 && x.dim(3) > 1 && x.dim(1) * x.dim(2) > 1;
    return reshape(image ? to_channels_first(x) : x, {x.dim(0), one_example(x.shape()).size()});
  }
  Shape output_shape(const Shape& input) override { return {input.size()}; }
  std::string describe() const override { return "flatten"; }
};

}  // namespace evenkeel
