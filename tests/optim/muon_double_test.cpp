#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/ops.h"
#include "optim/muon.h"

using namespace evenkeel;

namespace {

// A matrix of orthonormal rows, (n, m) with n <= m, by Gram and Schmidt.
Tensor orthonormal(int64_t n, int64_t m, uint64_t seed) {
  Random random(seed);
  Tensor q = Tensor::normal({n, m}, random);
  real* v = q.mutable_data();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k <= i; ++k) {
      double dot = 0;
      for (int64_t j = 0; j < m; ++j) dot += v[i * m + j] * v[k * m + j];
      for (int64_t j = 0; j < m; ++j)
        v[i * m + j] = k < i ? v[i * m + j] - dot * v[k * m + j] : v[i * m + j] / std::sqrt(dot);
    }
  }
  return q;
}

double polynomial(double s) { return 3.4445 * s - 4.775 * std::pow(s, 3) + 2.0315 * std::pow(s, 5); }

void check_near(const Tensor& a, const Tensor& b, double bound) {
  REQUIRE(a.shape() == b.shape());
  for (int64_t i = 0; i < a.size(); ++i) CHECK(std::abs(a.data()[i] - b.data()[i]) <= bound);
}

}  // namespace

TEST_CASE("orthogonal: the iteration works on the singular values alone, and on tall matrices as on wide ones") {
  const int64_t n = 4, m = 9;
  const Tensor u = orthonormal(n, n, 1), v = orthonormal(n, m, 2);
  const std::vector<double> singular{3, 2, 0.5, 0.1};
  double norm = 0;
  for (const double s : singular) norm = std::hypot(norm, s);
  for (const int64_t steps : {1, 3, 5}) {
    Tensor before = Tensor::zeros({n, n}), after = Tensor::zeros({n, n});
    for (int64_t i = 0; i < n; ++i) {
      double s = singular[static_cast<size_t>(i)] / (norm + 1e-7);
      before.mutable_data()[i * n + i] = singular[static_cast<size_t>(i)];
      for (int64_t k = 0; k < steps; ++k) s = polynomial(s);
      after.mutable_data()[i * n + i] = s;
      if (steps == 5) CHECK((s > 0.68 && s < 1.21));
    }
    const Tensor g = matmul(matmul(u, before), v), expected = matmul(matmul(u, after), v);
    check_near(orthogonal(g, steps), expected, 1e-6);
    check_near(orthogonal(transpose(g), steps), transpose(expected), 1e-6);
  }
  for (const real value : orthogonal(Tensor::zeros({3, 5}), 3).values()) CHECK(value == 0);
  CHECK_THROWS_AS(orthogonal(Tensor::zeros({3}), 3), Error);
}

TEST_CASE("muon: two steps by its definition; what is no filter bank moves as by SGD") {
  Random random(5);
  const Tensor filters = Tensor::normal({3, 2, 2, 4}, random).track(), weight = Tensor::normal({3, 4}, random).track(),
               beta = Tensor::normal({4}, random).track();
  const auto parameters = [&] {
    return std::vector<Parameter>{{"beta", beta.clone().track(), false, 64, 0.5},
                                  {"filters", filters.clone().track(), true, 2},
                                  {"weight", weight.clone().track(), true}};
  };
  const std::vector<Parameter> moved = parameters(), by_sgd = parameters();
  Muon muon(moved, {.momentum = 0.7, .steps = 2, .other_momentum = 0.8, .weight_decay = 0.01, .decay_all = true});
  Sgd sgd({by_sgd[0], by_sgd[2]}, {.momentum = 0.8, .weight_decay = 0.01, .nesterov = true, .decay_all = true});
  Tensor w = filters.clone(), v = Tensor::zeros(filters.shape());
  for (const real rate : {real(0.1), real(0.05)}) {
    const Grads g{Tensor::normal({4}, random), Tensor::normal({3, 2, 2, 4}, random), Tensor::normal({3, 4}, random)};
    muon.set_lr(rate);
    sgd.set_lr(rate);
    muon.step(g);
    sgd.step({g[0], g[2]});
    v = v * real(0.7) + g[1];
    const Tensor turned = reshape(orthogonal(reshape(g[1] + v * real(0.7), {3, 16}), 2), w.shape());
    double norm = 0;
    for (const real value : w.values()) norm = std::hypot(norm, value);
    w = w * static_cast<real>(std::sqrt(3.0) / norm) - turned * (2 * rate);
  }
  check_near(moved[1].value, w, 1e-6);
  CHECK(moved[0].value.values() == by_sgd[0].value.values());
  CHECK(moved[2].value.values() == by_sgd[2].value.values());
  std::string names;
  for (const Parameter& p : muon.state()) names += p.name + " ";
  CHECK(names == "velocity.beta velocity.weight momentum.filters ");
}

TEST_CASE("muon: a parameter without values is left alone") {
  std::vector<Parameter> p{{"none", Tensor::zeros({0, 3, 3, 4}).track(), true},
                           {"empty", Tensor::zeros({2, 0, 2, 3}).track(), true},
                           {"w", Tensor::full({2, 1, 1, 2}, 1).track(), true}};
  Muon muon(p);
  const std::vector<real> before = p[2].value.values();
  muon.step({Tensor::zeros({0, 3, 3, 4}), Tensor::zeros({2, 0, 2, 3}), Tensor::of({2, 1, 1, 2}, {1, 2, 3, 5})});
  CHECK(p[2].value.values() != before);
}
