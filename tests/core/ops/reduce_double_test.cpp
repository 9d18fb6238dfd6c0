#include "tests/check_grad.h"

using namespace evenkeel;

TEST_CASE("sums, spreads and products: derivatives up to order 3") {
  const Shape s{2, 3, 4};
  check_grad([](const Inputs& x) { return sum(square(x[0])); }, {random(s)}, 3);
  check_grad([&](const Inputs& x) { return exp(spread(x[0], s)); }, {random({})}, 3);
  check_grad([](const Inputs& x) { return exp(sum_rows(x[0])); }, {random(s)}, 3);
  check_grad([](const Inputs& x) { return exp(sum_channels(x[0])); }, {random(s)}, 3);
  check_grad([&](const Inputs& x) { return exp(spread_rows(x[0], s)); }, {random({4})}, 3);
  check_grad([&](const Inputs& x) { return exp(spread_channels(x[0], s)); }, {random({2, 3})}, 3);
  check_grad([](const Inputs& x) { return square(dot(x[0], x[1])); }, {random(s), random(s)}, 3);
  check_grad([](const Inputs& x) { return exp(add_per_channel(x[0], x[1])); }, {random(s), random({4})}, 3);
  check_grad([](const Inputs& x) { return exp(scale_per_channel(x[0], x[1])); }, {random(s), random({4})}, 3);
  check_grad([](const Inputs& x) { return exp(reshape(x[0], {6, 4})); }, {random(s)}, 3);
  check_grad([](const Inputs& x) { return square(x[0] / x[1]); }, {random(s), random_positive(s)}, 3);
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      check_grad([=](const Inputs& x) { return square(matmul(x[0], x[1], ta, tb)); },
                 {random(ta ? Shape{4, 3} : Shape{3, 4}), random(tb ? Shape{2, 4} : Shape{4, 2})}, 3);
}

TEST_CASE("sums, spreads and products refuse what does not fit, and say why") {
  const Tensor a = Tensor::zeros({2, 3}), row = Tensor::zeros({3});
  CHECK_THROWS_WITH_AS(dot(a, Tensor::zeros({3, 2})), "dot: shapes must agree, got (2, 3) and (3, 2)", Error);
  CHECK_THROWS_WITH_AS(dot(Tensor::zeros({6}), a), doctest::Contains("shapes must agree"), Error);
  CHECK_THROWS_WITH_AS(matmul(a, a), "matmul: inner sizes differ: (2, 3) x (2, 3)", Error);
  CHECK_THROWS_WITH_AS(matmul(a, Tensor::zeros({2, 4}), false, true), doctest::Contains("x (2, 4) transposed"), Error);
  CHECK_THROWS_WITH_AS(clamp(a, 1, -1), doctest::Contains("low must not exceed high, got 1 and -1"), Error);
  CHECK(clamp(a + 2, 1, 1).values() == std::vector<real>(6, 1));
  Tensor gated = Tensor::zeros({2, 3}), narrow = row.clone();
  CHECK_THROWS_WITH_AS(gate_and_sum_rows(a, row, gated), doctest::Contains("shapes must agree"), Error);
  CHECK_THROWS_WITH_AS(gate_and_sum_rows(a, a, narrow), doctest::Contains("shapes must agree"), Error);
  CHECK_THROWS_WITH_AS(mean(Tensor::zeros({0, 3})), doctest::Contains("must have values"), Error);
  CHECK_THROWS_WITH_AS(mean_rows(Tensor::zeros({0, 3})), doctest::Contains("must have rows"), Error);
  CHECK_THROWS_WITH_AS(mean_channels(Tensor::zeros({3, 0})), doctest::Contains("must have channels"), Error);
  CHECK_THROWS_WITH_AS(spread_rows(row, {3, 2}), doctest::Contains("one value a channel, shape (2), got (3)"), Error);
  CHECK_THROWS_WITH_AS(sum_channels(Tensor::scalar(1)), doctest::Contains("at least one axis"), Error);
  CHECK_THROWS_WITH_AS(spread_channels(row, {2, 3}), doctest::Contains("one value a row, shape (2), got (3)"), Error);
  CHECK_THROWS_WITH_AS(spread_channels(Tensor::scalar(1), {}), doctest::Contains("one value a row"), Error);
  CHECK_THROWS_WITH_AS(sum_positions(row), doctest::Contains("an axis of examples and one of channels"), Error);
  CHECK_THROWS_WITH_AS(spread_positions(row, {2, 4, 3}), doctest::Contains("one value per example and channel"), Error);
  // One axis is no axis of examples and one of channels, even where the values would fit.
  CHECK_THROWS_WITH_AS(spread_positions(Tensor::zeros({3, 3}), {3}),
                       doctest::Contains("one value per example and channel"), Error);
}
