#include "tests/check_definition.h"

using namespace evenkeel;

TEST_CASE("elementwise ops: derivatives up to order 3") {
  const Shape s{3, 5};
  auto one = [&](auto f, Tensor x) { check_grad([f](const Inputs& in) { return f(in[0]); }, {x}, 3); };
  one([](const Tensor& x) { return square(x); }, random(s));
  one([](const Tensor& x) { return sqrt(x); }, random_positive(s));
  one([](const Tensor& x) { return rsqrt(x); }, random_positive(s));
  one([](const Tensor& x) { return reciprocal(x); }, random_positive(s));
  one([](const Tensor& x) { return exp(x); }, random(s));
  one([](const Tensor& x) { return log(x); }, random_positive(s));
  one([](const Tensor& x) { return square(abs(x)) * x; }, random_off_zero(s));
  one([](const Tensor& x) { return relu(x) * x; }, random_off_zero(s));
  one([](const Tensor& x) { return leaky_relu(x) * x; }, random_off_zero(s));
  one([](const Tensor& x) { return sigmoid(x); }, random(s));
  one([](const Tensor& x) { return tanh(x); }, random(s));
  one([](const Tensor& x) { return softplus(x); }, random(s));
  one([](const Tensor& x) { return normal_cdf(x); }, random(s));
  one([](const Tensor& x) { return gelu(x); }, random(s));
  one([](const Tensor& x) { return silu(x); }, random(s));
  Tensor off_kinks = random(s);
  for (real *v = off_kinks.mutable_data(), *end = v + s.size(); v < end; ++v)
    if (std::abs(std::abs(*v) * 3 - 1) < 0.1) *v *= 2;
  one([](const Tensor& x) { return square(clamp(x * 3, -1, 1)) * x; }, off_kinks);
  one([](const Tensor& x) { return 1 - x / 2 + 3 * x * x - (-x); }, random(s));
}

TEST_CASE("sign and step: derivatives of all orders are zero") {
  for (const auto op : {+[](const Tensor& x) { return sign(x); }, +[](const Tensor& x) { return step(x); }}) {
    Tensor x = Tensor::of({3}, {-2, 0, 3}), y = x.track();
    for (int order = 0; order < 3; ++order) {
      y = grad(sum(order == 0 ? op(x) : y * x), {x}, {.differentiable = true})[0];
      if (order == 0) y = y * x;
      CHECK(difference(y, Tensor::zeros({3})) == 0);
    }
  }
}

TEST_CASE("a tensor is divided by a number exactly, also by one whose reciprocal is infinite") {
  const real unit = std::numeric_limits<real>::denorm_min(), infinity = std::numeric_limits<real>::infinity();
  const Tensor tiny = Tensor::of({4}, {0, 6 * unit, -9 * unit, 1}) / (3 * unit);
  CHECK(tiny.values() == std::vector<real>{0, 2, -3, infinity});
  Tensor x = Tensor::empty({1000});
  for (int64_t i = 0; i < x.size(); ++i) x.mutable_data()[i] = static_cast<real>(i);
  const Tensor y = x.track() / 49, g = grad(y, {x}, {.cotangent = x.detach()})[0];
  for (int64_t i = 0; i < x.size(); ++i) {
    REQUIRE(y.data()[i] == static_cast<real>(i) / 49);
    REQUIRE(g.data()[i] == static_cast<real>(i) / 49);
  }
}

TEST_CASE("clamp: the derivative is 1 between the bounds, also if they are infinite, and 0 at them") {
  const real infinity = std::numeric_limits<real>::infinity();
  Tensor x = Tensor::of({5}, {-infinity, -1, 0, 2, infinity}).track();
  const auto slopes = [&](real low, real high, bool differentiable) {
    return grad(sum(clamp(x, low, high)), {x}, {.differentiable = differentiable})[0].values();
  };
  for (const bool differentiable : {false, true}) {
    CHECK(slopes(-infinity, infinity, differentiable) == std::vector<real>{0, 1, 1, 1, 0});
    CHECK(slopes(-infinity, 1, differentiable) == std::vector<real>{0, 1, 1, 0, 0});
    CHECK(slopes(0, infinity, differentiable) == std::vector<real>{0, 0, 0, 1, 0});
  }
}

TEST_CASE("leaky_relu: the derivative above 0 is 1 for every slope") {
  Tensor x = Tensor::of({3}, {-2, 0, 3}).track();
  for (const real slope : {real(0.01), real(0.3), real(0.7), real(100), real(1e20)})
    CHECK(grad(sum(leaky_relu(x, slope)), {x})[0].values() == std::vector<real>{slope, slope, 1});
}

TEST_CASE("NaN goes in and comes out") {
  const Tensor x = Tensor::of({3}, {NAN, -1, 2});
  for (const Tensor& y : {relu(x), leaky_relu(x), clamp(x, -3, 3), abs(x), tanh(x), sigmoid(x), exp(x)}) {
    CHECK(std::isnan(y.data()[0]));
    CHECK(std::isfinite(y.data()[1]));
    CHECK(std::isfinite(y.data()[2]));
  }
  const Tensor at = x.clone().track();
  for (const Tensor& y : {step(at), sign(at)}) {  // whose derivative is 0
    const Tensor d = grad(sum(y), {at})[0];
    CHECK(std::isnan(d.data()[0]));
    CHECK(d.data()[1] == 0);
  }
}

TEST_CASE("an elementwise op of two shapes names itself, and what repeats the smaller one") {
  const Tensor x = Tensor::zeros({3, 4}), row = Tensor::zeros({4});
  const auto refused = [&](auto op, const std::string& name) {
    CHECK_THROWS_WITH_AS(op(x, row),
                         (name + ": shapes must agree, got (3, 4) and (4); spread(), spread_rows() and "
                                 "spread_channels() repeat a smaller tensor")
                             .c_str(),
                         Error);
  };
  refused([](const Tensor& a, const Tensor& b) { return a + b; }, "operator+");
  refused([](const Tensor& a, const Tensor& b) { return a - b; }, "operator-");
  refused([](const Tensor& a, const Tensor& b) { return a * b; }, "operator*");
  refused([](const Tensor& a, const Tensor& b) { return a / b; }, "operator/");
  refused([](const Tensor& a, const Tensor& b) { return gate(a, b); }, "gate");
  refused([](const Tensor& a, const Tensor& b) { return pull_back_relu(a, b); }, "pull_back_relu");
  const Recording off(false);
  refused([](const Tensor& a, const Tensor& b) { return pull_back_relu(a, b); }, "pull_back_relu");
}
