#include <doctest/doctest.h>

#include <cmath>

#include "optim/average.h"

using namespace evenkeel;

TEST_CASE("the average of the weights is the mean after all steps, weighed by keep^(steps ago)") {
  const double keep = 0.8;
  const Tensor w = Tensor::of({1}, {5});  // where training begins does not count
  WeightAverage average({{"w", w, true}}, keep);
  CHECK_THROWS_WITH_AS(average.put(), doctest::Contains("there is none before the first step"), Error);
  CHECK(w.item() == 5);
  double sum = 0, weight = 0;
  for (int t = 1; t <= 12; ++t) {
    const double value = std::sin(3.0 * t);
    Tensor(w).copy_from(Tensor::of({1}, {value}));
    average.add();
    sum = keep * sum + value;
    weight = keep * weight + 1;
    CHECK(average.state()[1].value.item() == doctest::Approx(sum / weight).epsilon(1e-13));
  }
  CHECK(w.item() == std::sin(36.0));
  average.put();
  CHECK(w.item() == doctest::Approx(sum / weight).epsilon(1e-13));
  REQUIRE(average.state().size() == 2);
  CHECK(average.state()[0].name == "average_steps");
  CHECK(average.state()[0].value.item() == 12);
  CHECK(average.state()[1].name == "average.w");
  CHECK_THROWS_WITH_AS(WeightAverage({}, 1), doctest::Contains("from 0 to below 1, got 1"), Error);
}
