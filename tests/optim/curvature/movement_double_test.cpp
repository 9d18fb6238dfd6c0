// How a step moves a network: norms, angles, shifts of gradients.
#include <array>
#include <cmath>

#include "core/ops/batch_norm.h"
#include "core/ops/matmul.h"
#include "optim/curvature/movement.h"
#include "tests/check_definition.h"

using namespace evenkeel;

TEST_CASE("angle: right, opposite, and small ones to all digits") {
  const Tensor x = Tensor::of({2}, {3, 0}), y = Tensor::of({2}, {0, .5});
  CHECK(angle(x, y) == doctest::Approx(M_PI / 2).epsilon(1e-15));
  CHECK(angle(x, -x) == doctest::Approx(M_PI).epsilon(1e-15));
  CHECK(angle(x, Tensor::of({2}, {2, 2e-9})) == doctest::Approx(1e-9).epsilon(1e-12));
  CHECK(l2_norm(Tensor::of({2, 1}, {3, 4})) == 5);
}

TEST_CASE("movements: norms, effective rate, and a weight before batch norm turns by atan(lr |g| / |w|)") {
  const Tensor x = random({9, 4});
  Tensor w = random({4, 1}).track(), gamma = random({1}).track();
  const Tensor y = batch_norm(matmul(x, w), gamma, Tensor::zeros({1}), 0).y, target = random({9, 1});
  const Grads g = grad(dot(y - target, y - target), {w, gamma});
  const std::vector<Movement> m = movements({{"0.weight", w, true}, {"1.weight", gamma, false}}, g, 0.3);
  CHECK(m[0].name == "0.weight");
  CHECK(m[0].gradient == doctest::Approx(l2_norm(g[0])));
  CHECK(m[0].effective_rate == doctest::Approx(0.3 / (m[0].weight * m[0].weight)));
  CHECK(m[0].angle == doctest::Approx(std::atan(0.3 * m[0].gradient / m[0].weight)).epsilon(1e-12));
  CHECK(m[1].weight == doctest::Approx(std::abs(gamma.item())));
  CHECK_THROWS_AS(movements({}, g, 0.1), Error);
}

TEST_CASE("gradient_shifts: of two layers in closed form, none for the first layer, and the parameters as they were") {
  // f = (s b - 1)^2 / 2 with s = a + bias, whose gradient for b is (s b - 1) s.
  Tensor a = Tensor::scalar(2).track(), bias = Tensor::scalar(0).track(), b = Tensor::scalar(-1.5).track();
  const auto f = [&] { return square((a + bias) * b - Tensor::scalar(1)) * 0.5; };
  const std::vector<GradientShift> shifts =
      gradient_shifts(f, {{"0.weight", a, true}, {"0.bias", bias, false}, {"1.weight", b, true}}, 0.1);
  REQUIRE(shifts.size() == 2);
  CHECK(shifts[0].layer == "0");
  CHECK(shifts[0].distance == 0);
  CHECK(shifts[0].cosine == doctest::Approx(1));
  // Residual -4, gradients of a and of the bias 6 each: a + bias becomes 0.8, and b's gradient (-2.2) 0.8 after (-4) 2.
  CHECK(shifts[1].layer == "1");
  CHECK(shifts[1].distance == doctest::Approx(8 - 1.76).epsilon(1e-14));
  CHECK(shifts[1].cosine == doctest::Approx(1));
  CHECK(a.item() == 2);
  CHECK(b.item() == -1.5);
}

TEST_CASE(
    "a zero has no angle, a zero weight no rate; a gradient that comes or goes has cosine 0, one that stays zero 1") {
  const Tensor zero = Tensor::zeros({2}), x = Tensor::of({2}, {3, 0});
  CHECK(angle(zero, x) == 0);
  CHECK(angle(x, zero) == 0);
  const std::vector<Movement> m = movements({{"0.bias", zero, false}}, {x}, 0.1);
  CHECK(m[0].effective_rate == 0);
  CHECK(m[0].gradient == 3);
  // f = a b: the gradient of b is a, which a step takes to a - b / 2.
  for (const auto& [of_a, of_b, distance, cosine] :
       {std::array<double, 4>{0.5, 1, 0.5, 0}, {0, 1, 0.5, 0}, {0, 0, 0, 1}}) {
    Tensor a = Tensor::scalar(of_a).track(), b = Tensor::scalar(of_b).track();
    const auto s = gradient_shifts([&] { return a * b; }, {{"0.weight", a, true}, {"1.weight", b, true}}, 0.5);
    CHECK(s[0].distance == 0);
    CHECK(s[0].cosine == 1);
    CHECK(s[1].distance == distance);
    CHECK(s[1].cosine == cosine);
  }
}

TEST_CASE("norms and angles of numbers whose squares are beyond a double, or below it") {
  for (const double size : {1e200, 1e-200}) {
    CAPTURE(size);
    CHECK(l2_norm(Tensor::of({2}, {3 * size, 4 * size})) / size == doctest::Approx(5).epsilon(1e-15));
    CHECK(angle(Tensor::of({2}, {size, 0}), Tensor::of({2}, {size, size})) == doctest::Approx(M_PI / 4).epsilon(1e-15));
  }
  CHECK(std::isinf(l2_norm(Tensor::of({2}, {1, INFINITY}))));
  CHECK(std::isnan(l2_norm(Tensor::of({2}, {1, NAN}))));
  Tensor a = Tensor::scalar(1e90).track(), b = Tensor::scalar(1e90).track();
  const std::vector<Parameter> both{{"0.weight", a, true}, {"1.weight", b, true}};
  const std::vector<GradientShift> s = gradient_shifts([&] { return a * b; }, both, 0.5);
  CHECK(s[1].distance == doctest::Approx(0.5e90).epsilon(1e-12));
  CHECK(s[1].cosine == doctest::Approx(1).epsilon(1e-15));
}
