#include "optim/sgd.h"

#include <cmath>

#include "core/engine/map.h"
#include "optim/l2_norm.h"

namespace evenkeel {

Sgd::Sgd(std::vector<Parameter> parameters, const SgdOptions& options) : parameters_(std::move(parameters)), options_(options) {
  set_lr(options.lr);
  check(options.momentum >= 0 && options.momentum < 1, "sgd: momentum must be in [0, 1), got {}", options.momentum);
  check(options.weight_decay >= 0, "sgd: weight decay must not be negative, got {}", options.weight_decay);
  check(!options.nesterov || options.momentum > 0, "sgd: Nesterov's form needs momentum, which is 0");
  if (options.momentum == 0) return;
  for (const Parameter& p : parameters_) velocities_.push_back({p.name, Tensor::zeros(p.value.shape()), p.decay});
}

void Sgd::set_lr(real lr) {
  check(lr >= 0 && std::isfinite(lr), "sgd: the learning rate must be finite and not negative, got {}", lr);
  options_.lr = lr;
}

void Sgd::step(const Grads& grads) {
  check(grads.size() == parameters_.size(), "sgd: {} parameters need as many gradients, got {}", parameters_.size(), grads.size());
  for (size_t i = 0; i < grads.size(); ++i) {
    Parameter& p = parameters_[i];
    check(grads[i].defined() && grads[i].shape() == p.value.shape(), "sgd: the gradient of {} must have its shape {}, got {}",
          p.name, p.value.shape(), grads[i].defined() ? grads[i].shape().str() : "none");
    const real lr = options_.lr, momentum = options_.momentum;
    const real decay = p.decay || options_.decay_all ? options_.weight_decay : 0;
    // The step is straight * d + along * v.
    const real straight = options_.nesterov ? 1 : 0, along = options_.nesterov ? momentum : 1;
    real* w = p.value.mutable_data();
    real* v = momentum > 0 ? velocities_[i].value.mutable_data() : nullptr;
    const real* g = grads[i].data();
    parallel_blocks(p.value.size(), elementwise_block, [=](int64_t begin, int64_t end) {
      if (v) {
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) {
          const real d = g[j] + decay * w[j];
          v[j] = momentum * v[j] + d;
          w[j] -= lr * (straight * d + along * v[j]);
        }
      } else {
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) w[j] -= lr * (g[j] + decay * w[j]);
      }
    });
  }
}

double clip_by_global_norm(Grads& grads, double max_norm) {
  check(max_norm > 0, "clip_by_global_norm: the largest norm must be positive, got {}", max_norm);
  const Recording off(false);
  double norm = 0;
  for (const Tensor& g : grads) norm = std::hypot(norm, l2_norm(g));
  if (norm <= max_norm || !std::isfinite(norm)) return norm;
  const double share = max_norm / norm;  // may be below every float
  for (Tensor& g : grads) g = record(map(g, [share](real v) { return static_cast<real>(share * v); }), {g}, {});
  return norm;
}

}  // namespace evenkeel
