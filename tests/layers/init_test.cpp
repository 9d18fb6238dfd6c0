#include "layers/init.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/engine/autograd.h"
#include "core/ops/conv.h"

using namespace evenkeel;

namespace {

double deviation(const Tensor& t) {
  double square = 0;
  for (real v : t.values()) square += static_cast<double>(v) * v;
  return std::sqrt(square / static_cast<double>(t.size()));
}

}  // namespace

TEST_CASE("initial weights have their formula's deviation, for dense layers and for convolutions") {
  Random random(1);
  // fan_in: all axes but the first; fan_out: all but the last.
  for (const auto& [shape, in, out] :
       {std::tuple<Shape, double, double>{{400, 100}, 100, 400}, {{64, 3, 5, 32}, 480, 960}}) {
    const double allowed =
        4 / std::sqrt(2.0 * static_cast<double>(shape.size()));  // four standard errors of a Gaussian's
    CHECK(deviation(initial_weight(shape, {Init::Kind::he}, random)) ==
          doctest::Approx(std::sqrt(2 / in)).epsilon(allowed));
    CHECK(deviation(initial_weight(shape, {Init::Kind::gaussian, 0.05}, random)) ==
          doctest::Approx(0.05).epsilon(allowed));
    const Tensor uniform = initial_weight(shape, {Init::Kind::glorot}, random);
    const auto values = uniform.values();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double a = std::sqrt(6 / (in + out));
    CHECK((*low >= -a && *high <= a));
    CHECK((*low<-0.999 * a&& * high> 0.999 * a));  // of so many, with a probability of 1 - e^-20
    CHECK(deviation(uniform) == doctest::Approx(a / std::sqrt(3)).epsilon(allowed));
    CHECK(uniform.tracked());
  }
}

TEST_CASE("an init is named, and what is none is refused") {
  CHECK(parse_init("he").kind == Init::Kind::he);
  CHECK(parse_init("glorot").kind == Init::Kind::glorot);
  CHECK(parse_init("gaussian").deviation == 0.01);
  CHECK(parse_init("gaussian:0.05").deviation == 0.05);
  for (const char* text : {"", "xavier", "gaussian:", "gaussian:x", "gaussian:0", "gaussian:-1", "gaussian:101",
                           "gaussian:0.1x", "gaussian:nan"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(parse_init(text), doctest::Contains("must be he, glorot"), Error);
  }
}

TEST_CASE("uniform: PyTorch's standard range, 1 / sqrt(fan_in)") {
  Random random(3);
  const std::vector<real> values = initial_weight({300, 100}, parse_init("uniform"), random).values();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  CHECK((*low >= real(-0.1) && *low < real(-0.0999) && *high <= real(0.1) && *high > real(0.0999)));
}

TEST_CASE("dirac: the first filters pass on a channel each, the others are drawn; a dense layer is uniform") {
  for (const auto& [filters, channels, size] : {std::tuple<int64_t, int64_t, int64_t>{6, 4, 3}, {3, 5, 5}, {4, 4, 1}}) {
    Random random(4), same(4);
    const Tensor w = initial_weight({filters, size, size, channels}, parse_init("dirac"), random);
    const Tensor drawn = initial_weight({filters, size, size, channels}, parse_init("uniform"), same);
    const Tensor x = Tensor::normal({2, 6, 7, channels}, random);
    const Recording off(false);
    const Tensor y = conv2d(x, w, {.padding = size / 2}), other = conv2d(x, drawn, {.padding = size / 2});
    for (int64_t i = 0; i < y.rows(); ++i)
      for (int64_t k = 0; k < filters; ++k)
        CHECK(y.data()[i * filters + k] ==
              doctest::Approx(k < channels ? x.data()[i * channels + k] : other.data()[i * filters + k]).epsilon(1e-5));
  }
  Random random(4), same(4);
  CHECK(initial_weight({5, 3}, parse_init("dirac"), random).values() ==
        initial_weight({5, 3}, parse_init("uniform"), same).values());
}

TEST_CASE("a weight without values may have any initial values") {
  Random random(1);
  for (const char* text : {"he", "glorot", "uniform", "dirac", "gaussian"})
    for (const Shape& shape : {Shape{4, 0, int64_t{1} << 40, 4}, {0, 3, 3, 4}, {4, 3, 3, 0}, {4, 0}, {0, 4}})
      CHECK(initial_weight(shape, parse_init(text), random).size() == 0);
}
