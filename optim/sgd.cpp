#include "optim/sgd.h"

#include "core/engine/map.h"

namespace evenkeel {

Sgd::Sgd(std::vector<Parameter> parameters, const SgdOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(options) {
  check_options("sgd", options);
  check(!options.nesterov || options.momentum > 0, "sgd: Nesterov's form needs momentum, which is 0");
  if (options.momentum == 0) return;
  for (const Parameter& p : parameters_) velocities_.push_back(Tensor::zeros(p.value.shape()));
}

std::vector<Parameter> Sgd::state() const {
  std::vector<Parameter> all;
  for (size_t i = 0; i < velocities_.size(); ++i)
    all.push_back({"velocity." + parameters_[i].name, velocities_[i], false});
  return all;
}

void Sgd::update(const Grads& grads) {
  for (size_t i = 0; i < grads.size(); ++i) {
    Parameter& p = parameters_[i];
    const real rate = lr(i), momentum = options_.momentum;
    const real decay = p.decay || options_.decay_all ? options_.weight_decay * p.decay_factor : 0;
    // The step is straight * d + along * v.
    const real straight = options_.nesterov ? 1 : 0, along = options_.nesterov ? momentum : 1;
    real* w = p.value.mutable_data();
    real* v = momentum > 0 ? velocities_[i].mutable_data() : nullptr;
    const real* g = grads[i].data();
    parallel_blocks(p.value.size(), elementwise_block, [=](int64_t begin, int64_t end) {
      if (v) {
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) {
          const real d = g[j] + decay * w[j];
          v[j] = momentum * v[j] + d;
          w[j] -= rate * (straight * d + along * v[j]);
        }
      } else {
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) w[j] -= rate * (g[j] + decay * w[j]);
      }
    });
  }
}

}  // namespace evenkeel
