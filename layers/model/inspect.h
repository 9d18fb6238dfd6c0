// Shows every layer's input and output in a forward pass, and how values are distributed.
#pragma once
#include <functional>

#include "../sequential.h"

namespace evenkeel {

struct LayerIO {
  std::string name;  // the prefix of its parameters' names: "3", "5.body.0"
  Layer& layer;
  Layer *before, *behind;  // neighbours in the same Sequential, or nullptr
  Tensor x, y;             // input and output
};

// Runs x through a network and calls `see` for every layer, also inside residuals. Nothing is fused, and a residual's
// body runs twice, so `mode` must be probe or eval, in which no state changes; Error for train.
void inspect(Sequential& network, const Tensor& x, Mode mode, const std::function<void(const LayerIO&)>& see);

// Error, with the layer's name, if the loss that this network computed from x depends on tracked tensors that no
// visit() names: they would be neither trained nor saved. Call it before the first training step.
void check_named(Sequential& network, const Tensor& x, const Tensor& loss);

// (rows, C) -> (shares, C): for each share from 0 to 1 (0.5: the median) the quantile of each channel over the rows,
// with linear interpolation. Over all values: percentiles(reshape(x, {x.size(), 1}), ...). A NaN makes its
// channel's quantiles NaN. Error if x is empty or a share is not in [0, 1].
Tensor percentiles(const Tensor& x, const std::vector<double>& shares);

}  // namespace evenkeel
