// Optimizer: parameters, an update rule, and the state that the rule keeps.
#pragma once
#include <vector>

#include "../core/engine/parameter.h"

namespace evenkeel {

// To add one: derive, and write update(), which changes parameter i with the learning rate lr(i). Return the tensors
// that it keeps between steps from state(), so that a run can be resumed. Threads: as for Tensor; step() writes to the
// parameters.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // `grads`: one gradient for each parameter, in the same order, of the same shape; else Error. Does not change them.
  // Error if there are no parameters.
  void step(const Grads& grads);
  void set_lr(real lr);  // for the following steps; Error unless it is finite and not negative
  real lr() const { return lr_; }
  real lr(size_t i) const { return lr_ * parameters_[i].lr_factor; }  // of parameter i
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // The state to save and load besides the parameters: handles with unique names.
  virtual std::vector<Parameter> state() const { return {}; }

 protected:
  Optimizer(std::vector<Parameter> parameters, real lr);  // Error if one is undefined, an op's result, or there twice
  virtual void update(const Grads& grads) = 0;            // step() has checked them

  std::vector<Parameter> parameters_;

 private:
  real lr_ = 0;
};

}  // namespace evenkeel
