// Ops as a program outside of the library writes them: at global scope, with `using namespace evenkeel`. There abs(v)
// must not be the one for int, and exp(v) not ambiguous.
#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "tests/check_grad.h"

using namespace evenkeel;

TEST_CASE("an op of a program's own: numbers and tensors have the same functions") {
  const auto softsign = [](const Inputs& x) {
    return unary(
        x[0], [](real v) { return v / (1 + abs(v)); },
        [](auto v, auto, auto g) {
          const auto d = 1 + abs(v);
          return g / (d * d);
        });
  };
  check_grad(softsign, {random_off_zero({3, 4})}, 3);
  const auto gaussian = [](const Inputs& x) {
    return unary(
        x[0], [](real v) { return exp(-v * v); }, [](auto v, auto y, auto g) { return g * (-2 * v * y); });
  };
  check_grad(gaussian, {random({3, 4})}, 3);
  const auto bent = [](const Inputs& x) {  // sqrt(1 + v^2) + log(1 + v^2) + tanh(v)
    return unary(
        x[0], [](real v) { return sqrt(1 + v * v) + log(1 + v * v) + tanh(v); },
        [](auto v, auto, auto g) {
          const auto t = tanh(v);
          return g * (v / sqrt(1 + v * v) + 2 * v / (1 + v * v) + 1 - t * t);
        });
  };
  check_grad(bent, {random({3, 4})}, 3);
}
