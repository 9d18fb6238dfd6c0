// Exact population statistics in place of running averages (Wu and Johnson 2021, "precise batch norm").
#pragma once
#include "running_norm.h"

namespace evenkeel {

// The RunningNorm layers of a network with their names, in order.
std::vector<std::pair<std::string, RunningNorm*>> running_norms(Layer& network);

// Mean and biased variance per channel over all added rows, in double: exact for any batch sizes and means.
class Population {
 public:
  void add(const Tensor& x);  // (rows, C)
  double rows() const { return all_.count; }
  Tensor mean() const { return rounded_mean(all_); }  // (C)
  Tensor var() const { return biased_var(all_); }

 private:
  Moments all_;
};

// Calls its argument with the inputs of a data set, batch by batch, the same at every call.
using EachBatch = std::function<void(const std::function<void(const Tensor&)>&)>;

// Sets all running statistics to those of the data set, in order: each norm gets the statistics of its inputs in
// inference with the norms before it already set; one pass over the data for each. Then inference uses exactly the
// population's moments. Norms in a Sequential's frozen layers do not change. Error if a norm sees fewer than two rows;
// Error(Fault::failed) if the moments of its inputs are not finite. The norms before it are then already set.
void recalibrate(Layer& network, const EachBatch& each_batch);

}  // namespace evenkeel
