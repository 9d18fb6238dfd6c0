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

TEST_CASE("check_grad sees a vjp that is not written in ops, overwrites what it returns, or keeps the result") {
  const auto cube = [](const Inputs& x) {  // right, and not differentiable again
    return record(map(x[0], [](real v) { return v * v * v; }), {x[0]}, [x = x[0]](const Tensor& g) {
      return Grads{map_onto(
          Tensor::empty(g.shape()), [](real v, real c) { return 3 * v * v * c; }, x.data(), g.data())};
    });
  };
  CHECK(grad_error(cube, {random({3, 4})}, 1) < 1e-7);
  CHECK(grad_error(cube, {random({3, 4})}, 2) > 1e-3);
  const auto detached = [](const Inputs& x) {
    return record(square(x[0].detach()), {x[0]}, [x = x[0]](const Tensor& g) { return Grads{2 * (g * x.detach())}; });
  };
  CHECK(grad_error(detached, {random({3, 4})}, 2) > 1e-3);
  const auto overwrites = [](const Inputs& x) {  // relu(a) + b
    return record(relu(x[0].detach()) + x[1].detach(), {x[0], x[1]}, [a = x[0]](const Tensor& g) {
      const Tensor da = pull_back_relu(g, a);
      return Grads{da, g};
    });
  };
  CHECK(grad_error(overwrites, {random_off_zero({3, 4}), random({3, 4})}, 2) > 1e-3);
  Tensor kept;
  const auto keeps = [&kept](const Inputs& x) {
    kept = exp(x[0]);
    return kept;
  };
  CHECK(leaks(keeps, {random({3, 4})}));
  CHECK(!leaks([](const Inputs& x) { return exp(x[0]); }, {random({3, 4})}));
  const auto keeps_cotangent = [&kept](const Inputs& x) {
    return record(square(x[0].detach()), {x[0]}, [x = x[0], &kept](const Tensor& g) {
      kept = g;
      return Grads{2 * g * x};
    });
  };
  CHECK(leaks(keeps_cotangent, {random({3, 4})}));
}

TEST_CASE("check_grad names the order, a value that is not finite, a written input, and a vjp that needs all inputs") {
  const auto fault = [](const Function& f, const Inputs& at) { return grad_fault(f, at, 2); };
  CHECK(fault([](const Inputs& x) { return x[0] * x[1]; }, {random({3}), random({3})}) == "");

  const auto logarithm = [](const Inputs& x) { return log(x[0]); };  // its derivative 1/x is finite below 0 too
  CHECK(grad_error(logarithm, {Tensor::of({2}, {1, -1})}, 1) > 1e-3);
  CHECK(fault(logarithm, {Tensor::of({2}, {1, -1})}) == "its result is not finite: give inputs of its domain");

  const auto forgets = [](const Inputs& x) {  // half of the derivative of x^2
    return record(square(x[0].detach()), {x[0]}, [x = x[0]](const Tensor& g) { return Grads{g * x}; });
  };
  CHECK(fault(forgets, {random({3})}).starts_with("its derivative of order 1 is wrong by "));
  const auto constant = [](const Inputs& x) {
    return record(square(x[0].detach()), {x[0]}, [x = x[0]](const Tensor& g) { return Grads{2 * g * x.detach()}; });
  };
  CHECK(fault(constant, {random({3})}).starts_with("its derivative of order 2 is wrong by "));

  const auto writes = [](const Inputs& x) {  // |x|, written over x: right at the new x
    Tensor a = x[1];
    for (int64_t i = 0; i < a.size(); ++i) a.mutable_data()[i] = abs(a.data()[i]);
    return x[0] * a;
  };
  CHECK(fault(writes, {random({3}), Tensor::of({3}, {1, -2, 3})}) == "it writes to input 1");

  const auto needs_both = [](const Inputs& x) {
    return record(x[0].detach() * x[1].detach(), {x[0], x[1]}, [a = x[0], b = x[1]](const Tensor& g) {
      return Grads{g * b, a.tracked() ? g * a : g};
    });
  };
  CHECK(fault(needs_both, {random({3}), random({3})}) ==
        "the gradient of input 1 is another if the other inputs are not tracked");
}

TEST_CASE("an op without a kernel may pull back through its definition, also where nothing is recorded") {
  const auto cubed = [](const Inputs& x) {
    return record(x[0].detach() * x[0].detach() * x[0].detach(), {x[0]}, [x = x[0]](const Tensor& g) {
      return pull_back([](const Inputs& at) { return at[0] * at[0] * at[0]; }, {x}, g);
    });
  };
  check_grad(cubed, {random({3, 4})}, 3);
}

TEST_CASE("record refuses an empty vjp, which would stop every gradient there") {
  const Tensor x = random({2}).track();
  CHECK_THROWS_WITH_AS(record(x.detach(), {x}, {}, "mine"), doctest::Contains("the vjp of mine is empty"), Error);
}
