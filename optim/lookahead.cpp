#include "optim/lookahead.h"

#include <cmath>

#include "core/engine/map.h"

namespace evenkeel {
namespace {

const Optimizer& given(const std::unique_ptr<Optimizer>& inner) {
  check(inner != nullptr, "lookahead: the inner optimiser is null (moved from?)");
  return *inner;
}

}  // namespace

Lookahead::Lookahead(std::unique_ptr<Optimizer> inner, const LookaheadOptions& options)
    : Optimizer(given(inner).parameters(), given(inner).lr()), inner_(std::move(inner)), options_(options) {
  check_options("lookahead", options);
  check(options.lookahead >= 1, "lookahead: the slow weights need at least 1 step from move to move, got {}",
        options.lookahead);
  for (const Parameter& p : parameters_) slow_.push_back(Tensor::zeros(p.value.shape()));
}

std::vector<Parameter> Lookahead::state() const {
  std::vector<Parameter> all = inner_->state();
  all.push_back({"lookahead_steps", steps_, false});
  for (size_t i = 0; i < slow_.size(); ++i) all.push_back({"slow." + parameters_[i].name, slow_[i], false});
  return all;
}

void Lookahead::update(const Grads& grads) {
  const double before = steps_.mutable_data()[0]++;  // exact up to 2^24 in float
  if (before == 0)
    for (size_t i = 0; i < slow_.size(); ++i) slow_[i].copy_from(parameters_[i].value);
  inner_->set_lr(lr());
  inner_->step(grads);
  if (std::fmod(before + 1, static_cast<double>(options_.lookahead)) != 0) return;
  const real pull = options_.pull;
  for (size_t i = 0; i < slow_.size(); ++i) {
    real *w = parameters_[i].value.mutable_data(), *slow = slow_[i].mutable_data();
    parallel_blocks(slow_[i].size(), elementwise_block, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) w[j] = slow[j] += pull * (w[j] - slow[j]);
    });
  }
}

}  // namespace evenkeel
