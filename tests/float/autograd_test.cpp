#include <doctest/doctest.h>

#include "core/ops.h"

using namespace evenkeel;

TEST_CASE("a chain of two million ops is built, differentiated and destroyed") {
  const int64_t before = live_nodes();
  {
    Tensor x = Tensor::scalar(1);
    x.track();
    Tensor y = x;
    for (int i = 0; i < 2'000'000; ++i) y = y + real(0);
    CHECK(grad(std::move(y), {x})[0].item() == 1);
  }
  CHECK(live_nodes() == before);
}

TEST_CASE("a derivative through what was computed while recording was off is an error that says so") {
  Tensor x = Tensor::scalar(2);
  x.track();
  const Tensor g = grad(square(x), {x})[0];
  CHECK_THROWS_WITH_AS(grad(g * x, {x}), doctest::Contains("recording was off"), Error);
  CHECK(grad(g.detach() * x, {x})[0].item() == 4);
}
