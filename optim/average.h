// An exponential moving average of the weights over training steps (Polyak and Juditsky 1992), bias-corrected.
#pragma once
#include <vector>

#include "../core/engine/parameter.h"

namespace evenkeel {

// After step t = 1, 2, ...: a <- a + (1 - keep) / (1 - keep^t) (w - a). So a is the weighted mean of w after all steps,
// where a step counts `keep` times as much as the next one. Running averages of norms do not fit averaged weights:
// recalibrate() before inference.
class WeightAverage {
 public:
  WeightAverage(std::vector<Parameter> parameters, double keep);  // Error unless 0 <= keep < 1
  void add();                                                     // call it after each step
  void put() const;  // copies the averages into the parameters; Error before the first add()
  // The state to save and load: handles "average.NAME", and the number of steps, (1), as "average_steps".
  std::vector<Parameter> state() const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> averages_;
  double keep_;
  Tensor steps_ = Tensor::zeros({1});
};

}  // namespace evenkeel
