#include "optim/optimizer.h"

#include <cmath>

namespace evenkeel {

Optimizer::Optimizer(std::vector<Parameter> parameters, real lr) : parameters_(std::move(parameters)) { set_lr(lr); }

void Optimizer::set_lr(real lr) {
  check(lr >= 0 && std::isfinite(lr), "optimizer: the learning rate must be finite and not negative, got {}", lr);
  lr_ = lr;
}

void Optimizer::step(const Grads& grads) {
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
