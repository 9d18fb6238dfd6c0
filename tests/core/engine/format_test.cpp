#include "core/engine/format.h"

#include <doctest/doctest.h>

#include <limits>

using namespace evenkeel;

TEST_CASE("a tensor is printed with its shape, in aligned columns") {
  const Tensor x = Tensor::of({2, 3}, {1, -2.5, 3, 1000, 0.125, std::numeric_limits<real>::quiet_NaN()});
  CHECK(fmt::format("{}", x) ==
        "(2, 3) [[    1,  -2.5,     3],\n"
        "        [ 1000, 0.125,   nan]]");
  CHECK(fmt::format("{:.1f}!", Tensor::of({2}, {1, 2.25})) == "(2) [1.0, 2.2]!");
  CHECK(fmt::format("{}", Tensor::of({1, 2, 1, 2}, {1, 2, 3, 4})) ==
        "(1, 2, 1, 2) [[[[1, 2]],\n"
        "               [[3, 4]]]]");
  CHECK(fmt::format("{} {}", Tensor::scalar(7), Tensor()) == "() 7 undefined tensor");
  CHECK(fmt::format("{} {}", Tensor::zeros({0}), Tensor::zeros({2, 0})) == "(0) [] (2, 0) [[],\n        []]");
}

TEST_CASE("a large tensor is printed abridged") {
  Tensor x = Tensor::zeros({2000});
  for (int64_t i = 0; i < 2000; ++i) x.mutable_data()[i] = static_cast<real>(i);
  CHECK(fmt::format("{}", x) == "(2000) [   0,    1,    2, ..., 1997, 1998, 1999]");
  CHECK(fmt::format("{}", Tensor::zeros({400, 3})) ==
        "(400, 3) [[0, 0, 0],\n"
        "          [0, 0, 0],\n"
        "          [0, 0, 0],\n"
        "          ...,\n"
        "          [0, 0, 0],\n"
        "          [0, 0, 0],\n"
        "          [0, 0, 0]]");
  CHECK(fmt::format("{}", Tensor::zeros({9, 9})).find("...") == std::string::npos);
  // An axis of eight is shown whole.
  CHECK(fmt::format("{}", Tensor::zeros({200, 8})).starts_with("(200, 8) [[0, 0, 0, 0, 0, 0, 0, 0],\n"));
  CHECK(fmt::format("{}", Tensor::zeros({200, 9})).starts_with("(200, 9) [[0, 0, 0, ..., 0, 0, 0],\n"));
}
