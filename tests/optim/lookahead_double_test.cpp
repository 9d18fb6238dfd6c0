#include <doctest/doctest.h>

#include <cmath>

#include "optim/lookahead.h"
#include "optim/named_optimizers.h"
#include "optim/sgd.h"
#include "tests/check_optimizer.h"

using namespace evenkeel;

TEST_CASE("lookahead: by its definition, with weights set between construction and the first step") {
  // f(w) = w^2 / 2, so the gradient is w: each inner step multiplies by 1 - lr.
  const Tensor w = Tensor::of({1}, {7});
  Lookahead optimizer(std::make_unique<Sgd>(std::vector<Parameter>{{"w", w, true}}, SgdOptions{}),
                      {.lookahead = 3, .pull = 0.25});
  Tensor(w).copy_from(Tensor::of({1}, {2}));
  double fast = 2, slow = 2;
  for (int t = 1; t <= 10; ++t) {
    const double lr = 0.1 / t;
    optimizer.set_lr(lr);
    optimizer.step({w.clone()});
    fast *= 1 - lr;
    if (t % 3 == 0) fast = slow += 0.25 * (fast - slow);
    CHECK(w.item() == doctest::Approx(fast).epsilon(1e-14));
  }
}

TEST_CASE("lookahead: a pull of 1 changes nothing, a pull of 0 returns to where it began") {
  const auto after = [](const std::string& text, int steps) {
    const Tensor w = Tensor::of({2}, {1, 2});
    const auto optimizer = make_optimizer(text, {{"w", w, true}});
    for (int t = 0; t < steps; ++t) optimizer->step({Tensor::of({2}, {std::sin(t + 1.0), -2})});
    return w.values();
  };
  for (const char* inner : {"sgd:momentum=0.9:nesterov=on", "adamw", "muon"}) {
    const std::string text = inner;
    const auto plain = after(text, 8), pulled = after(text + ":lookahead=2:pull=1", 8);
    for (size_t i = 0; i < 2; ++i) CHECK(pulled[i] == doctest::Approx(plain[i]).epsilon(1e-14));
    CHECK(after(text + ":lookahead=0", 8) == plain);
    CHECK(after(text + ":lookahead=4:pull=0", 8) == std::vector<real>{1, 2});
    CHECK(after(text + ":lookahead=1:pull=0", 3) == std::vector<real>{1, 2});
    CHECK(after(text + ":lookahead=4:pull=0", 7) != std::vector<real>{1, 2});
  }
}

TEST_CASE("lookahead: the rules for every optimiser, and its errors") {
  for (const char* text : {"sgd:lookahead=2", "adamw:lookahead=2:pull=0.3", "muon:lookahead=4"})
    check_optimizer([&](std::vector<Parameter> p) { return make_optimizer(text, std::move(p)); });
  CHECK_THROWS_WITH_AS(make_optimizer("sgd:pull=2", {}), doctest::Contains("must be a number from 0 to 1, got '2'"),
                       Error);
  CHECK_THROWS_WITH_AS(make_optimizer("sgd:lookahaed=2", {}), doctest::Contains("[:lookahead=0][:pull=0.5]"), Error);
  CHECK_THROWS_WITH_AS(Lookahead(std::make_unique<Sgd>(std::vector<Parameter>{}), {}),
                       doctest::Contains("at least 1 step from move to move, got 0"), Error);
  CHECK_THROWS_WITH_AS(Lookahead(nullptr, {.lookahead = 2}), "lookahead: the inner optimiser is null (moved from?)",
                       Error);
}
