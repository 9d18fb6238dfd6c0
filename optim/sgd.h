// Stochastic gradient descent with momentum (Polyak 1964), Nesterov's form of it (Sutskever et al. 2013), and weight
// decay.
#pragma once
#include <vector>

#include "../core/base/options.h"
#include "optimizer.h"

namespace evenkeel {

struct SgdOptions {
  real lr = real(0.1);
  real momentum = 0;
  real weight_decay = 0;
  bool nesterov = false;
  bool decay_all = false;

  static void each(auto& o, auto&& option) {  // the arguments of "sgd:..."; the schedule sets lr
    option("momentum", o.momentum, Range{0, 1, Range::Top::below}, "v <- momentum v + gradient; w <- w - lr v");
    option("weight_decay", o.weight_decay, Range{0, 1e9},
           "adds weight_decay w to the gradient: twice the lambda of a penalty lambda ||w||^2");
    option("nesterov", o.nesterov, Words{"off", "on"}, "Nesterov's form of momentum");
    option("decay_all", o.decay_all, Words{"off", "on"}, "gamma, beta and biases decay too");
  }
};

// With d = g + weight_decay w:  v = momentum v + d,  w -= lr v;  Nesterov: w -= lr (d + momentum v).
// As PyTorch's: the learning rate is not part of v. Error if an option is out of its range, or for Nesterov's form
// without momentum.
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<Parameter> parameters, const SgdOptions& options = {});
  std::vector<Parameter> state() const override;  // v as "velocity.NAME"; none if momentum is 0

 protected:
  void update(const Grads& grads) override;

 private:
  SgdOptions options_;
  std::vector<Tensor> velocities_;
};

}  // namespace evenkeel
