// Looking into a network: what inspect() shows, percentiles.
#include <cmath>

#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/model/inspect.h"
#include "layers/norm/batch_norm.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

Sequential small(Random& random) {
  Sequential network{Dense(3, 4, random), BatchNorm(4), Relu()};
  auto body = std::make_unique<Sequential>(Dense(4, 4, random), Tanh());
  network.add(std::make_unique<Residual>(std::move(body)));
  return network;
}

}  // namespace

TEST_CASE("inspect shows every layer with its neighbours, and computes what forward does") {
  Random random(1);
  Sequential network = small(random);
  const Tensor x = evenkeel::random({5, 3});
  std::vector<std::string> names;
  Tensor last;
  inspect(network, x, Mode::probe, [&](const LayerIO& s) {
    names.push_back(s.name + " " + s.layer.describe());
    if (s.name == "0") CHECK(s.x.values() == x.values());
    if (s.name == "1") CHECK((s.before == &network[0] && s.behind == &network[2]));
    if (s.name == "3.body.0") CHECK((s.before == nullptr && s.behind != nullptr));
    if (s.name == "2") CHECK(s.y.values() == relu(s.x).values());
    last = s.y;
  });
  CHECK(names == std::vector<std::string>{"0 dense:4", "1 batch", "2 relu", "3.body.0 dense:4", "3.body.1 tanh",
                                          "3 residual(dense:4 tanh)"});
  CHECK(difference(last, network.forward(x, Mode::probe).detach()) < 1e-15);
  CHECK(dynamic_cast<BatchNorm&>(network[1]).batches.item() == 0);
  CHECK_THROWS_WITH_AS(inspect(network, x, Mode::train, [](const LayerIO&) {}), doctest::Contains("use probe"), Error);
}

TEST_CASE("percentiles: of each channel, between rows by interpolation") {
  const Tensor x = Tensor::of({5, 2}, {5, 10, 1, 30, 4, 20, 2, 50, 3, 40});
  CHECK(percentiles(x, {0, .5, 1}).values() == std::vector<real>{1, 10, 3, 30, 5, 50});
  CHECK(difference(percentiles(x, {.15, .85}), Tensor::of({2, 2}, {1.6, 16, 4.4, 44})) < 1e-14);
  CHECK(percentiles(Tensor::of({1, 1}, {7}), {.3}).item() == 7);
  Random random(1);
  const Tensor normal = percentiles(Tensor::normal({100000, 1}, random), {.15865525, .5, .84134475});
  for (int i = 0; i < 3; ++i) CHECK(std::abs(normal.data()[i] - (i - 1)) < 0.02);
  CHECK_THROWS_WITH_AS(percentiles(x, {1.5}), doctest::Contains("from 0 to 1"), Error);
  CHECK_THROWS_AS(percentiles(Tensor::empty({0, 2}), {.5}), Error);
}
