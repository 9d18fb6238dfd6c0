#include "optim/sgd.h"

#include <doctest/doctest.h>

#include "core/base/parallel.h"

using namespace evenkeel;

TEST_CASE("sgd: the same bits for any number of threads") {
  auto results = [] {
    Random random(2);
    const Tensor w = Tensor::normal({100003}, random), g = Tensor::normal({100003}, random);
    Sgd sgd({{"w", w, true}}, {.lr = real(0.1), .momentum = real(0.9), .weight_decay = real(1e-3), .nesterov = true});
    for (int i = 0; i < 3; ++i) sgd.step({g});
    return w.values();
  };
  const int before = threads();
  set_threads(1);
  const std::vector<real> expected = results();
  for (int n : {2, 3, 8}) {
    set_threads(n);
    CHECK(results() == expected);
  }
  set_threads(before);
}
