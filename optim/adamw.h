// AdamW (Loshchilov and Hutter 2019): Adam (Kingma and Ba 2015) with weight decay decoupled from the gradient.
#pragma once
#include <vector>

#include "../core/base/options.h"
#include "optimizer.h"

namespace evenkeel {

struct AdamWOptions {
  real lr = real(1e-3);
  real beta1 = real(0.9), beta2 = real(0.999);
  real eps = real(1e-8);
  real weight_decay = real(0.01);
  bool decay_all = false;

  static void each(auto& o, auto&& option) {  // the arguments of "adamw:..."; the schedule sets lr
    constexpr Range share{0, 1, Range::Top::below};
    option("beta1", o.beta1, share, "decay of the average of the gradients, per step");
    option("beta2", o.beta2, share, "decay of the average of their squares");
    option("eps", o.eps, Range{1e-30, 1}, "outside the root");
    option("weight_decay", o.weight_decay, Range{0, 1e9}, "each step subtracts lr weight_decay w from w");
    option("decay_all", o.decay_all, Words{"off", "on"}, "gamma, beta and biases decay too");
  }
};

// In step t, from 1:  w -= lr weight_decay w,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
//   w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).  As PyTorch's. Error if an option is out of its
// range.
class AdamW : public Optimizer {
 public:
  explicit AdamW(std::vector<Parameter> parameters, const AdamWOptions& options = {});
  std::vector<Parameter> state() const override;  // m as "first.NAME", v as "second.NAME", and t, (1), as "steps"

 protected:
  void update(const Grads& grads) override;

 private:
  AdamWOptions options_;
  std::vector<Tensor> first_, second_;
  Tensor steps_ = Tensor::zeros({1});
};

}  // namespace evenkeel
