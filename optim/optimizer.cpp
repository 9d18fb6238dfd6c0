#include "optim/optimizer.h"

#include <cmath>
#include <map>

namespace evenkeel {

Optimizer::Optimizer(std::vector<Parameter> parameters, real lr) : parameters_(std::move(parameters)) {
  set_lr(lr);
  std::map<const real*, const Parameter*> owners;
  for (const Parameter& p : parameters_) {
    check(p.value.defined(), "optimizer: the parameter {} is undefined", p.name);
    check(p.value.node()->inputs.empty(),
          "optimizer: {} is the result of an op, so that a step would not move what it was computed from; give the "
          "optimiser the leaves, which track() marks",
          p.name);
    if (p.value.size() == 0) continue;
    const auto [owner, added] = owners.emplace(p.value.data(), &p);
    check(added, "optimizer: {} and {} are one tensor, which would be updated twice in a step; give it once",
          owner->second->name, p.name);
  }
}

void Optimizer::set_lr(real lr) {
  check(lr >= 0 && std::isfinite(lr), "optimizer: the learning rate must be finite and not negative, got {}", lr);
  lr_ = lr;
}

void Optimizer::step(const Grads& grads) {
  check(
      !parameters_.empty(),
      "optimizer: has no parameters to update; a network that was moved from, and a layer without visit(), give none");
  check(grads.size() == parameters_.size(), "optimizer: {} parameters need as many gradients, got {}",
        parameters_.size(), grads.size());
  for (size_t i = 0; i < grads.size(); ++i) {
    const Parameter& p = parameters_[i];
    check(grads[i].defined() && grads[i].shape() == p.value.shape(),
          "optimizer: the gradient of {} must have its shape {}, got {}", p.name, p.value.shape(),
          grads[i].defined() ? grads[i].shape().str() : "none");
  }
  update(grads);
}

}  // namespace evenkeel
