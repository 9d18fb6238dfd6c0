#include "core/base/scalar.h"

#include <doctest/doctest.h>

#include <limits>

using namespace evenkeel;

TEST_CASE("float exp, tanh and sigmoid are libm's to a few units in the last place, from one end to the other") {
  double exp_error = 0, tanh_error = 0, sigmoid_error = 0;
  const auto relative = [](double got, double exact) { return std::abs(got - exact) / std::abs(exact); };
  for (double x = -87; x < 88; x += 0.00137) {
    const float v = static_cast<float>(x);
    exp_error = std::max(exp_error, relative(exp(v), std::exp(static_cast<double>(v))));
    tanh_error = std::max(tanh_error, relative(tanh(v), std::tanh(static_cast<double>(v))));
    sigmoid_error = std::max(sigmoid_error, relative(sigmoid(v), 1 / (1 + std::exp(-static_cast<double>(v)))));
  }
  CHECK(exp_error < 3e-7);
  CHECK(tanh_error < 1e-6);
  CHECK(sigmoid_error < 4e-7);
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(exp(infinity) == infinity);
  CHECK(exp(-infinity) == 0);
  CHECK((tanh(infinity) == 1 && tanh(-infinity) == -1));
  CHECK((std::isnan(exp(NAN)) && std::isnan(tanh(NAN)) && std::isnan(sigmoid(NAN))));
}
