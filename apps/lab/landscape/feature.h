// One feature of a batch, and what the closed forms of batch normalisation's derivatives are made of.
#pragma once
#include "apps/lab/lab.h"

namespace evenkeel::lab {

struct Feature {
  explicit Feature(const Tensor& values, double floor = 1e-2)
      : x(values), eps(floor), m(static_cast<double>(values.size())) {
    const double mu = mean(x).item();
    var = mean(square(x - mu)).item();
    s = std::sqrt(var + eps);
    xhat = (x - mu) / s;
  }
  Tensor norm(const Tensor& t) const { return batch_norm(t, ones(1) * gamma, zeros(1), eps).y; }
  double h(int64_t i) const { return xhat.data()[i]; }
  double projection(int64_t i, int64_t j) const { return (i == j) - 1 / m; }  // P = I - 11' / m

  Tensor x, xhat;  // (m, 1)
  double eps, m, gamma = 1.7, var = 0, s = 0;
};

}  // namespace evenkeel::lab
