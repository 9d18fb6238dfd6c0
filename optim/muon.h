// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): updates a filter bank by the
// orthogonal matrix nearest to its momentum, all other parameters by SGD.
#pragma once
#include <memory>
#include <vector>

#include "sgd.h"

namespace evenkeel {

struct MuonOptions {
  real lr = real(0.24);
  real momentum = real(0.6);
  int64_t steps = 3;
  real other_momentum = real(0.85);
  real weight_decay = 0;
  bool decay_all = false;

  static void each(auto& o, auto&& option) {  // the arguments of "muon:..."; the schedule sets lr
    option("momentum", o.momentum, Range{0, 1, Range::Top::below}, "of filters: Nesterov's form");
    option("steps", o.steps, Range{1, 100}, "of the Newton-Schulz iteration");
    option("other_momentum", o.other_momentum, Range{0, 1, Range::Top::below},
           "of all other parameters, updated as by sgd:nesterov=on");
    option("weight_decay", o.weight_decay, Range{0, 1e9}, "of all other parameters; filters keep their norm instead");
    option("decay_all", o.decay_all, Words{"off", "on"}, "gamma, beta and biases decay too");
  }
};

// A filter bank is a parameter of rank 4, W (K, R, S, C), seen as a matrix of K rows. With its gradient g:
//   v <- momentum v + g,   d = g + momentum v,   W <- sqrt(K) W / |W| - lr orthogonal(d).
// Every other parameter: as Sgd with `other_momentum`, in Nesterov's form where it is not 0. Parameter groups can give
// these their own learning rate. Error if an option is out of its range.
class Muon : public Optimizer {
 public:
  explicit Muon(std::vector<Parameter> parameters, const MuonOptions& options = {});
  std::vector<Parameter> state() const override;  // v as "momentum.NAME", and the Sgd's

 protected:
  void update(const Grads& grads) override;

 private:
  MuonOptions options_;
  std::vector<size_t> filters_, others_;  // indices of the parameters
  std::vector<Tensor> momenta_;
  std::unique_ptr<Sgd> sgd_;
};

// For a matrix G (rows, columns) = U S V^T, approximately U V^T, the nearest orthogonal matrix: `steps` steps of
//   X <- 3.4445 X - 4.775 (X X^T) X + 2.0315 (X X^T)^2 X   from X = G / |G|,
// where |G| is the root of the sum of squares. Here and in Muon 1e-7 is added to a norm that divides.
// Five steps map singular values of X in [0.01, 1] into [0.68, 1.14]. Error unless G is a matrix with values.
Tensor orthogonal(const Tensor& g, int64_t steps);

}  // namespace evenkeel
