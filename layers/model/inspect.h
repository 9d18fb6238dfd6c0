// Looking into a network at work: what every layer gets and gives, and how those values are distributed.
#pragma once
#include <functional>

#include "../sequential.h"

namespace evenkeel {

struct LayerIO {
  std::string name;  // as the layer's parameters' names begin: "3", "5.body.0"
  Layer& layer;
  Layer *before, *behind;  // its neighbours in the same Sequential, or nullptr
  Tensor x, y;             // what it gets and gives
};

// Runs x through a network and shows every layer of it, those inside of residuals too. Nothing is fused, and a
// residual's body runs twice: probe or eval, where nothing moves.
void inspect(Sequential& network, const Tensor& x, Mode mode, const std::function<void(const LayerIO&)>& see);

// Error with the layer's name where the loss, made from x by this network, depends on tracked tensors that no visit()
// names: they would be neither trained nor saved. To be called before the first step of a training.
void check_named(Sequential& network, const Tensor& x, const Tensor& loss);

// (rows, C) -> (shares, C): the value below which this share of a channel's rows lies, between two rows by linear
// interpolation. Of all values together: percentiles(reshape(x, {x.size(), 1}), ...).
Tensor percentiles(const Tensor& x, const std::vector<double>& shares);

// How many values fall into each of as many equal bins from low to high; those beyond count in the outermost, NaN in
// none.
std::vector<int64_t> histogram(const Tensor& x, double low, double high, int bins);

}  // namespace evenkeel
