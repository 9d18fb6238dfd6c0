#include "optim/adamw.h"

#include <cmath>

#include "core/engine/map.h"

namespace evenkeel {

AdamW::AdamW(std::vector<Parameter> parameters, const AdamWOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(options) {
  check_options("adamw", options);
  for (const Parameter& p : parameters_) {
    first_.push_back(Tensor::zeros(p.value.shape()));
    second_.push_back(Tensor::zeros(p.value.shape()));
  }
}

std::vector<Parameter> AdamW::state() const {
  std::vector<Parameter> all{{"steps", steps_, false}};
  for (size_t i = 0; i < first_.size(); ++i) {
    all.push_back({"first." + parameters_[i].name, first_[i], false});
    all.push_back({"second." + parameters_[i].name, second_[i], false});
  }
  return all;
}

void AdamW::update(const Grads& grads) {
  const double t = steps_.mutable_data()[0] += 1;  // exact up to 2^24 in float
  const double left1 = 1 - std::pow(double(options_.beta1), t), left2 = 1 - std::pow(double(options_.beta2), t);
  const real beta1 = options_.beta1, beta2 = options_.beta2, eps = options_.eps;
  const real root = static_cast<real>(1 / std::sqrt(left2));
  for (size_t i = 0; i < grads.size(); ++i) {
    Parameter& p = parameters_[i];
    const real rate = static_cast<real>(lr(i) / left1);
    const real keep = 1 - lr(i) * (p.decay || options_.decay_all ? options_.weight_decay * p.decay_factor : 0);
    real *w = p.value.mutable_data(), *m = first_[i].mutable_data(), *v = second_[i].mutable_data();
    const real* g = grads[i].data();
    parallel_blocks(p.value.size(), elementwise_block, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) {
        m[j] = beta1 * m[j] + (1 - beta1) * g[j];
        v[j] = beta2 * v[j] + (1 - beta2) * g[j] * g[j];
        w[j] = keep * w[j] - rate * m[j] / (root * std::sqrt(v[j]) + eps);
      }
    });
  }
}

}  // namespace evenkeel
