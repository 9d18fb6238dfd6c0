// Lookahead (Zhang, Lucas, Hinton and Ba 2019): slow weights that follow those of another optimiser.
#pragma once
#include <memory>
#include <vector>

#include "../core/base/options.h"
#include "optimizer.h"

namespace evenkeel {

struct LookaheadOptions {
  int64_t lookahead = 0;
  real pull = real(0.5);

  static void each(auto& o, auto&& option) {  // arguments of every optimiser: "sgd:momentum=0.9:lookahead=5"
    option("lookahead", o.lookahead, Range{0, 1e9}, "steps from one move of the slow weights to the next; 0: none");
    option("pull", o.pull, Range{0, 1}, "each move takes them this share of the way to the weights");
  }
};

// The inner optimiser takes every step. After each `lookahead` steps: slow <- slow + pull (w - slow),  w <- slow.
// The slow weights begin as those before the first step. The inner optimiser's state is not changed.
class Lookahead : public Optimizer {
 public:
  // Error if `inner` is null, an option is out of its range, or `lookahead` is 0.
  Lookahead(std::unique_ptr<Optimizer> inner, const LookaheadOptions& options);
  // The inner optimiser's, the slow weights as "slow.NAME", and the number of steps, (1), as "lookahead_steps".
  std::vector<Parameter> state() const override;

 protected:
  void update(const Grads& grads) override;

 private:
  std::unique_ptr<Optimizer> inner_;
  LookaheadOptions options_;
  std::vector<Tensor> slow_;
  Tensor steps_ = Tensor::zeros({1});
};

}  // namespace evenkeel
