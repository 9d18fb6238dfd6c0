// What an optimiser is: parameters, a rule by which a step changes them, and the state that the rule keeps.
#pragma once
#include <vector>

#include "../core/engine/parameter.h"

namespace evenkeel {

// To add one: derive, and write update(), which changes parameter i with the rate lr(i). Tensors that it keeps from
// step to step belong into state(), so that a run can go on. Threads: as of Tensor; a step writes to the parameters.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One gradient for each parameter, in their order and of their shapes; they are not changed.
  void step(const Grads& grads);
  void set_lr(real lr);  // of the steps from now on; finite, not negative
  real lr() const { return lr_; }
  real lr(size_t i) const { return lr_ * parameters_[i].lr_factor; }  // of parameter i
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // What must be saved and loaded besides the parameters: handles, each by a name of its own.
  virtual std::vector<Parameter> state() const { return {}; }

 protected:
  Optimizer(std::vector<Parameter> parameters, real lr);
  virtual void update(const Grads& grads) = 0;  // what step() has checked

  std::vector<Parameter> parameters_;

 private:
  real lr_ = 0;
};

}  // namespace evenkeel
