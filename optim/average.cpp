#include "optim/average.h"

#include <cmath>

#include "core/engine/map.h"

namespace evenkeel {

WeightAverage::WeightAverage(std::vector<Parameter> parameters, double keep)
    : parameters_(std::move(parameters)), keep_(keep) {
  check(keep >= 0 && keep < 1, "average: what it keeps in a step must be from 0 to below 1, got {}", keep);
  for (const Parameter& p : parameters_) averages_.push_back(Tensor::zeros(p.value.shape()));
}

void WeightAverage::add() {
  const double t = steps_.mutable_data()[0] += 1;  // exact up to 2^24 in float
  const real step = static_cast<real>((1 - keep_) / (1 - std::pow(keep_, t)));
  for (size_t i = 0; i < averages_.size(); ++i) {
    const real* w = parameters_[i].value.data();
    real* a = averages_[i].mutable_data();
    parallel_blocks(averages_[i].size(), elementwise_block, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) a[j] += step * (w[j] - a[j]);
    });
  }
}

void WeightAverage::put() const {
  check(steps_.item() > 0, "average: there is none before the first step; call add() after each step");
  for (size_t i = 0; i < averages_.size(); ++i) Tensor(parameters_[i].value).copy_from(averages_[i]);
}

std::vector<Parameter> WeightAverage::state() const {
  std::vector<Parameter> all{{"average_steps", steps_, false}};
  for (size_t i = 0; i < averages_.size(); ++i) all.push_back({"average." + parameters_[i].name, averages_[i], false});
  return all;
}

}  // namespace evenkeel
