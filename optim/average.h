// An average of the weights over the steps of a training (Polyak and Juditsky 1992), exponential and bias-corrected.
#pragma once
#include <vector>

#include "../core/engine/parameter.h"

namespace evenkeel {

// After step t, from 1:  a <- a + (1 - keep) / (1 - keep^t) (w - a), so that a is the mean of the weights after all
// steps with weights that fall by `keep` a step; after the first it is w. A normalisation's running averages do not fit
// averaged weights: recalibrate() them before inference.
class WeightAverage {
 public:
  WeightAverage(std::vector<Parameter> parameters, double keep);  // keep in [0, 1)
  void add();                                                     // the parameters as they are now, after a step
  void put() const;                                               // the averages into the parameters
  // What must be saved and loaded: handles, "average.NAME" for each and the count of steps, (1), as "average_steps".
  std::vector<Parameter> state() const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> averages_;
  double keep_;
  Tensor steps_ = Tensor::zeros({1});
};

}  // namespace evenkeel
