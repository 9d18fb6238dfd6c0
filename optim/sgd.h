// Stochastic gradient descent with momentum, Nesterov's form of it, and weight decay.
#pragma once
#include <vector>

#include "optim/optimizer.h"

namespace evenkeel {

struct SgdOptions {
  real lr = real(0.1);
  real momentum = 0;
  real weight_decay = 0;  // adds weight_decay * w to the gradient: 2 lambda of the textbooks' penalty lambda ||w||^2
  bool nesterov = false;
  bool decay_all = false;  // also where the parameter says no: gamma, beta and biases
};

// With d = g + weight_decay w:  v = momentum v + d,  w -= lr v;  Nesterov: w -= lr (d + momentum v).
// As PyTorch's: the learning rate is not part of v.
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<Parameter> parameters, const SgdOptions& options = {});
  std::vector<Parameter> state() const override;  // v as "velocity.NAME"; none where momentum is 0

 protected:
  void update(const Grads& grads) override;

 private:
  SgdOptions options_;
  std::vector<Tensor> velocities_;
};

}  // namespace evenkeel
