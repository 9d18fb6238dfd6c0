// Numbers that decide, in float: norms that clip, residuals that claim convergence.
#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/ops.h"
#include "optim/clip.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/curvature/movement.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

double norm_of(const Grads& grads) {
  double squares = 0;
  for (const Tensor& g : grads)
    for (real v : g.values()) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("clip_by_global_norm clips whatever is finite, from the largest floats to the smallest") {
  for (const real size : {real(3e38), real(1e30), real(2e19), real(1), real(1e-25), real(1e-38)}) {
    CAPTURE(size);
    Grads grads{Tensor::full({100}, size), Tensor::of({3}, {size / 2, -size, 0})};
    const double before = norm_of(grads), limit = before / 7;
    CHECK(clip_by_global_norm(grads, limit) == doctest::Approx(before).epsilon(1e-12));
    CHECK(norm_of(grads) == doctest::Approx(limit).epsilon(1e-6));
  }
  Grads large{Tensor::full({1000}, real(3e38))};
  clip_by_global_norm(large, 1);
  CHECK(norm_of(large) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("along_gradient: the smoothness of a loss whose gradient's square no float holds") {
  Tensor w = Tensor::of({2}, {real(1e10), real(2e10)}).track();
  const Tensor a = Tensor::of({2}, {real(1e10), real(1e10)});  // gradient a w, which changes by a times the way
  const AlongGradient found = along_gradient([&] { return dot(w, w * a) * real(0.5); }, {w}, {1e-11});
  CHECK(found.smoothness == doctest::Approx(1e10).epsilon(1e-4));
}

TEST_CASE("largest_eigenvalue: the residual is what H u - value u is, in float too") {
  const int64_t n = 12;
  Tensor matrix = Tensor::zeros({n, n});
  Random random(3);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j)
      matrix.mutable_data()[i * n + j] = matrix.mutable_data()[j * n + i] = static_cast<real>(random.normal());
  Tensor w = Tensor::normal({n, 1}, random).track();
  const auto loss = [&] { return dot(w, matmul(matrix, w)) * real(0.5); };
  const Eigenvalue found = largest_eigenvalue(loss, {w}, random, {.tolerance = 1e-12});
  const std::vector<real> u = found.vector[0].values();
  double squares = 0, length = 0;
  for (int64_t i = 0; i < n; ++i) {
    double r = -found.value * static_cast<double>(u[i]);
    for (int64_t j = 0; j < n; ++j) r += static_cast<double>(matrix.data()[i * n + j]) * static_cast<double>(u[j]);
    squares += r * r, length += static_cast<double>(u[i]) * static_cast<double>(u[i]);
  }
  const double real_residual = std::sqrt(squares / length);
  CHECK(found.residual > real_residual / 4);
  CHECK(found.residual < 20 * real_residual + 1e-6);
  CHECK(found.residual < 1e-5);
}

TEST_CASE("movements, gradient shifts and angles of what is zero: 0, as it has no direction") {
  const Tensor zero = Tensor::zeros({3}).track(), one = Tensor::of({3}, {1, 0, 0}).track();
  const Grads g{one.detach(), one.detach()};
  const std::vector<Movement> m = movements({{"0.bias", zero, false}, {"0.weight", one, true}}, g, 1);
  CHECK(m[0].weight == 0);
  CHECK(m[0].gradient == 1);
  CHECK(m[0].effective_rate == 0);
  CHECK(m[0].angle == 0);
  CHECK(m[1].effective_rate == 1);
  CHECK(m[1].angle == 0);  // the step ends at zero
  Tensor w = Tensor::of({2}, {1, 2}).track(), idle = Tensor::of({2}, {1, 2}).track();
  const std::vector<GradientShift> s = gradient_shifts([&] { return dot(w, w) + dot(idle, Tensor::zeros({2})); },
                                                       {{"0.weight", w, true}, {"1.weight", idle, true}}, 0.1);
  CHECK(s[0].cosine == 1);
  CHECK(s[1].distance == 0);
  CHECK(s[1].cosine == 1);
}

TEST_CASE("along_gradient, gradient_shifts: where the loss throws half-way the parameters are as they were") {
  Tensor a = Tensor::of({2}, {1, 2}).track(), b = Tensor::of({2}, {3, 4}).track();
  int calls = 0;
  const Objective f = [&]() -> Tensor {
    check(++calls % 2 == 1, "not here");
    return dot(a, a * b) + dot(b, b);
  };
  CHECK_THROWS_WITH_AS(along_gradient(f, {a, b}, {0.5}), doctest::Contains("not here"), Error);
  CHECK(calls == 2);
  CHECK(a.values() == std::vector<real>{1, 2});
  CHECK(b.values() == std::vector<real>{3, 4});
  const std::vector<Parameter> both{{"0.weight", a, true}, {"1.weight", b, true}};
  CHECK_THROWS_WITH_AS(gradient_shifts(f, both, 0.5), doctest::Contains("not here"), Error);
  CHECK(a.values() == std::vector<real>{1, 2});
  CHECK(b.values() == std::vector<real>{3, 4});
}
