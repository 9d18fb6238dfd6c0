// Population statistics in place of running averages (precise batch norm, Wu and Johnson 2021, exactly).
#pragma once
#include "running_norm.h"

namespace evenkeel {

// The layers of a network with running statistics, with their names, in order.
std::vector<std::pair<std::string, RunningNorm*>> running_norms(Layer& network);

// Mean and biased variance per channel of all rows that have been added, in double: right for any batch sizes and
// means.
class Population {
 public:
  void add(const Tensor& x);  // (rows, C)
  double rows() const { return all_.count; }
  Tensor mean() const { return rounded_mean(all_); }  // (C)
  Tensor var() const { return biased_var(all_); }

 private:
  Moments all_;
};

// Gives its argument the inputs of a data set, batch after batch, the same at every call.
using EachBatch = std::function<void(const std::function<void(const Tensor&)>&)>;

// Sets every running statistic to that of the data set: the first layer's from its inputs, the second's from what
// inference then gives it, and so on; one pass over the data for each. Afterwards inference normalises exactly with the
// population's moments. The norms in a Sequential's frozen layers stay as they are.
void recalibrate(Layer& network, const EachBatch& each_batch);

}  // namespace evenkeel
