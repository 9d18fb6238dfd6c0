#include "core/base/scalar.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <type_traits>

using namespace evenkeel;

TEST_CASE("float exp, tanh and sigmoid are libm's to a few units in the last place, from one end to the other") {
  double exp_error = 0, tanh_error = 0, sigmoid_error = 0;
  const auto relative = [](double got, double exact) { return std::abs(got - exact) / std::abs(exact); };
  for (double x = -87; x < 88; x += 0.00137) {
    const float v = static_cast<float>(x);
    exp_error = std::max(exp_error, relative(evenkeel::exp(v), std::exp(static_cast<double>(v))));
    tanh_error = std::max(tanh_error, relative(evenkeel::tanh(v), std::tanh(static_cast<double>(v))));
    sigmoid_error = std::max(sigmoid_error, relative(sigmoid(v), 1 / (1 + std::exp(-static_cast<double>(v)))));
  }
  CHECK(exp_error < 3e-7);
  CHECK(sigmoid_error < 4e-7);
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(evenkeel::exp(infinity) == infinity);
  CHECK(evenkeel::exp(-infinity) == 0);
  for (double x = 1e-37; x < 0.5; x *= 1.01)
    for (const float v : {static_cast<float>(x), static_cast<float>(-x)})
      tanh_error = std::max(tanh_error, relative(evenkeel::tanh(v), std::tanh(static_cast<double>(v))));
  CHECK(tanh_error < 5e-7);
  CHECK((evenkeel::tanh(0x1p-149f) == 0x1p-149f && evenkeel::tanh(-0x1.8p-140f) == -0x1.8p-140f));
  CHECK((evenkeel::tanh(infinity) == 1 && evenkeel::tanh(-infinity) == -1 && evenkeel::tanh(0.0f) == 0));
  CHECK((std::isnan(evenkeel::exp(NAN)) && std::isnan(evenkeel::tanh(NAN)) && std::isnan(sigmoid(NAN))));
}

TEST_CASE("float log is libm's to two units in the last place, for every exponent and around 1") {
  double error = 0;
  const auto see = [&](float v) {
    const double exact = std::log(static_cast<double>(v));
    error = std::max(error, exact == 0 ? std::abs(static_cast<double>(evenkeel::log(v)))
                                       : std::abs(evenkeel::log(v) - exact) / std::abs(exact));
  };
  for (int e = -149; e < 128; ++e)
    for (int i = 0; i < 1000; ++i) see(std::ldexp(1 + static_cast<float>(i) / 1000, e));
  for (double x = 0.4; x < 2.5; x += 1.7e-5) see(static_cast<float>(x));
  for (int i = -100; i <= 100; ++i) see(1 + static_cast<float>(i) * 0x1p-23f);
  CHECK(error < 2e-7);
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK((evenkeel::log(0.0f) == -infinity && evenkeel::log(-0.0f) == -infinity && evenkeel::log(1.0f) == 0 &&
         evenkeel::log(infinity) == infinity));
  CHECK((std::isnan(evenkeel::log(-1.0f)) && std::isnan(evenkeel::log(-1e-40f)) &&
         std::isnan(evenkeel::log(-infinity)) && std::isnan(evenkeel::log(NAN))));
}

TEST_CASE("float softplus and normal_cdf are within their bounds, from one end to the other") {
  double softplus_error = 0, cdf_error = 0, tail_error = 0;
  for (double x = -14; x < 14; x += 0.00037) {
    const float v = static_cast<float>(x);
    const double cdf = 0.5 * std::erfc(-static_cast<double>(v) / std::sqrt(2.0)),
                 plus = std::log1p(std::exp(static_cast<double>(v)));
    softplus_error = std::max(softplus_error, std::abs(softplus(v) - plus) / plus);
    cdf_error = std::max(cdf_error, std::abs(normal_cdf(v) - cdf));
    if (x < 0 && x > -9) tail_error = std::max(tail_error, std::abs(normal_cdf(v) - cdf) / cdf);
  }
  CHECK(softplus_error < 6e-7);
  CHECK(cdf_error < 3e-7);
  CHECK(tail_error < 3e-6);
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK((softplus(infinity) == infinity && softplus(-infinity) == 0 && std::isnan(softplus(NAN))));
  CHECK((normal_cdf(infinity) == 1 && normal_cdf(-infinity) == 0 && std::isnan(normal_cdf(NAN))));
  CHECK((softplus(100.0f) == 100 && softplus(0.0f) == doctest::Approx(std::log(2.0)).epsilon(1e-7)));
}

TEST_CASE("a program that uses the namespace has abs, sqrt and log of floats, not of int or double") {
  CHECK(abs(-0.75f) == 0.75f);
  CHECK(abs(-0.75) == 0.75);
  static_assert(std::is_same_v<decltype(sqrt(2.0f)), float> && std::is_same_v<decltype(evenkeel::log(2.0f)), float>);
  static_assert(std::is_same_v<decltype(evenkeel::exp(2.0)), double> &&
                std::is_same_v<decltype(evenkeel::tanh(2.0)), double>);
}
