// Stochastic gradient descent with momentum, Nesterov's form of it, and weight decay.
#pragma once
#include <vector>

#include "core/engine/parameter.h"

namespace evenkeel {

struct SgdOptions {
  real lr = real(0.1);
  real momentum = 0;
  real weight_decay = 0;    // adds weight_decay * w to the gradient: 2 lambda of the textbooks' penalty lambda ||w||^2
  bool nesterov = false;
  bool decay_all = false;   // also where the parameter says no: gamma, beta and biases
};

// With d = g + weight_decay w:  v = momentum v + d,  w -= lr v;  Nesterov: w -= lr (d + momentum v).
// As PyTorch's: the learning rate is not part of v.
class Sgd {
 public:
  explicit Sgd(std::vector<Parameter> parameters, const SgdOptions& options = {});

  void step(const Grads& grads);  // one for every parameter, in their order; they are not changed
  void set_lr(real lr);
  const SgdOptions& options() const { return options_; }
  // v by the names of the parameters, handles, to be saved and loaded; none where momentum is 0.
  const std::vector<Parameter>& velocities() const { return velocities_; }

 private:
  std::vector<Parameter> parameters_, velocities_;
  SgdOptions options_;
};

// Scales the gradients so that the norm of all of them together is at most max_norm (Pascanu et al. 2013); returns the norm
// before. What is not finite is left as it is, to be seen. Gradients are replaced, not written to: others may share them.
double clip_by_global_norm(Grads& grads, double max_norm);

}  // namespace evenkeel
