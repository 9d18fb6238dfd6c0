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

TEST_CASE("NaN goes in and comes out") {
  const Tensor x = Tensor::of({3}, {NAN, -1, 2});
  for (const Tensor& y : {relu(x), leaky_relu(x), clamp(x, -3, 3), abs(x), tanh(x), sigmoid(x), exp(x)}) {
    CHECK(std::isnan(y.data()[0]));
    CHECK(std::isfinite(y.data()[1]));
    CHECK(std::isfinite(y.data()[2]));
  }
}
