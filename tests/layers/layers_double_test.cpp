#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/layer_norm.h"
#include "layers/pooling.h"
#include "layers/sequential.h"
#include "tests/check_layer.h"

using namespace evenkeel;

namespace {

// No two values closer than 0.1, in no order: for maxima.
Tensor spread_out(const Shape& shape) {
  std::vector<real> values(static_cast<size_t>(shape.size()));
  const std::vector<int64_t> order = Random(4).permutation(shape.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = real(0.1) * static_cast<real>(order[i]) - 2;
  return Tensor::of(shape, values);
}

}  // namespace

TEST_CASE("every layer: gradients, names, copies, saving, modes") {
  Random r(1);
  check_layer(Dense(5, 3, r), Shape{4, 5});
  check_layer(Dense(5, 3, r, false), Shape{4, 5});
  check_layer(Conv2d(3, 4, 3, {.stride = 2, .padding = 1}, r), Shape{2, 5, 5, 3});
  check_layer(Conv2d(3, 4, 3, {.padding = 1}, r, false), Shape{2, 6, 6, 3});
  check_layer(BatchNorm(3), Shape{6, 3});
  check_layer(BatchNorm(3, {.eps = 0.1, .new_weight = 0.5, .unbiased = false}), Shape{2, 3, 2, 3});
  check_layer(BatchNorm(3, {.cumulative = true, .affine = false}), Shape{6, 3});
  check_layer(LayerNorm(4), Shape{3, 4});
  check_layer(LayerNorm(4), Shape{2, 3, 2, 4});
  check_layer(Relu(), random_off_zero({3, 4}));
  check_layer(Sigmoid(), Shape{3, 4});
  check_layer(Tanh(), Shape{3, 4});
  check_layer(MaxPool(), spread_out({2, 4, 4, 3}));
  check_layer(AvgPool({.size = 3, .stride = 2, .padding = 1}), Shape{2, 5, 5, 3});
  check_layer(GlobalAvgPool(), Shape{2, 3, 3, 4});
  check_layer(Flatten(), Shape{2, 3, 2, 4});
  check_layer(Dropout(0.3, r), Shape{4, 5});
  check_layer(Sequential(Dense(5, 4, r), BatchNorm(4), Tanh(), Dense(4, 2, r)), Shape{6, 5});
}

TEST_CASE("convolutions in groups") {
  for (const char* model :
       {"conv:6:3:groups=3 flatten dense:classes", "conv:3:3:stride=2:groups=3 flatten dense:classes"})
    check_layer(std::move(*make_model({.model = model, .input = {5, 5, 3}, .classes = 3})), Shape{3, 5, 5, 3});
}

TEST_CASE("residual blocks: identity, stride and more channels") {
  for (const char* model : {"residual(conv:3:3 batch tanh conv:3:3 batch) tanh flatten dense:classes",
                            "residual(conv:6:3:stride=2 batch tanh conv:6:3 batch) tanh flatten dense:classes",
                            "residual(conv:4:3 batch tanh) tanh flatten dense:classes"})
    check_layer(std::move(*make_model({.model = model, .input = {5, 5, 3}, .classes = 3})), Shape{3, 5, 5, 3});
}
