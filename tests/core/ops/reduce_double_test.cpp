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
