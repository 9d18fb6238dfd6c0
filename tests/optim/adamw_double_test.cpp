#include <doctest/doctest.h>

#include <cmath>

#include "optim/adamw.h"

using namespace evenkeel;

// The right values were printed by PyTorch 1.13's AdamW in double, with one group of parameters that decays and one
// that does not.
TEST_CASE("adamw: 200 steps equal PyTorch's to 1e-12, with a learning rate that changes") {
  const Tensor w = Tensor::of({5}, {1, -2, 0.5, 0, 3}), b = Tensor::of({2}, {0.25, -0.75});
  AdamW adamw({{"w", w, true}, {"b", b, false}}, {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1});
  for (int t = 1; t <= 200; ++t) {
    std::vector<real> gw, gb;
    for (int i = 0; i < 5; ++i) gw.push_back(std::cos(0.1 * t + i) * (1 + 0.5 * i));
    for (int i = 0; i < 2; ++i) gb.push_back(std::sin(0.07 * t * (i + 1)));
    adamw.set_lr(0.01 * (1 - t / 400.0));
    adamw.step({Tensor::of({5}, gw), Tensor::of({2}, gb)});
  }
  const std::vector<real> right{0.8029941369420467, -1.6928258932663354,  0.5340840004096439, 0.06444188518794199,
                                2.5721125132300466, 0.017039773716879848, -0.9265250442299131};
  std::vector<real> got = w.values();
  got.insert(got.end(), b.data(), b.data() + 2);
  for (size_t i = 0; i < right.size(); ++i) CHECK(std::abs(got[i] - right[i]) <= 1e-12);
}

// Written out for one weight, as its paper has it.
TEST_CASE("adamw: a first step moves by the learning rate, whatever the gradient's size; decay is apart from it") {
  for (const real g : {1e-3, 1.0, 1e3}) {
    const Tensor w = Tensor::of({1}, {2});
    AdamW adamw({{"w", w, true}}, {.lr = 0.1, .weight_decay = 0.5});
    adamw.step({Tensor::of({1}, {g})});
    CHECK(w.item() == doctest::Approx(2 * (1 - 0.1 * 0.5) - 0.1).epsilon(1e-4));
  }
}

TEST_CASE("adamw: decay leaves parameters alone that say no, unless told otherwise") {
  for (const bool all : {false, true}) {
    const Tensor weight = Tensor::of({1}, {1}), gamma = Tensor::of({1}, {1});
    AdamW adamw({{"weight", weight, true}, {"gamma", gamma, false}},
                {.lr = 0.5, .weight_decay = 0.1, .decay_all = all});
    adamw.step({Tensor::of({1}, {0}), Tensor::of({1}, {0})});
    CHECK(weight.item() == doctest::Approx(0.95).epsilon(1e-15));
    CHECK(gamma.item() == doctest::Approx(all ? 0.95 : 1).epsilon(1e-15));
  }
}

TEST_CASE("adamw: its state is all that the next steps need") {
  const auto gradient = [](int t) { return Grads{Tensor::of({2}, {std::sin(1.0 + t), std::cos(2.0 * t)})}; };
  const Tensor straight = Tensor::of({2}, {1, 2}), stopped = Tensor::of({2}, {1, 2});
  AdamW one({{"w", straight, true}}), before({{"w", stopped, true}}), after({{"w", stopped, true}});
  for (int t = 0; t < 5; ++t) one.step(gradient(t)), before.step(gradient(t));
  const std::vector<Parameter> from = before.state(), to = after.state();
  REQUIRE(from.size() == 3);
  for (size_t i = 0; i < from.size(); ++i) {
    CHECK(from[i].name == to[i].name);
    Tensor(to[i].value).copy_from(from[i].value);
  }
  for (int t = 5; t < 9; ++t) one.step(gradient(t)), after.step(gradient(t));
  CHECK(straight.values() == stopped.values());
}

TEST_CASE("adamw: what it refuses") {
  const Parameter p{"w", Tensor::zeros({2}), true};
  CHECK_THROWS_WITH_AS(AdamW({p}, {.beta1 = 1}),
                       doctest::Contains("adamw: beta1 (decay of the average of the gradients, per step) must be a "
                                         "number from 0 to below 1, got 1"),
                       Error);
  CHECK_THROWS_WITH_AS(AdamW({p}, {.beta2 = -1}), doctest::Contains("got -1"), Error);
  CHECK_THROWS_WITH_AS(AdamW({p}, {.eps = 0}),
                       doctest::Contains("eps (outside the root) must be a number from 1e-30 to 1, got 0"), Error);
  CHECK_THROWS_WITH_AS(AdamW({p}, {.weight_decay = -1}),
                       doctest::Contains("weight_decay (each step subtracts lr weight_decay w from w) must be"), Error);
  CHECK_THROWS_WITH_AS(AdamW({p}).set_lr(NAN), doctest::Contains("learning rate must be finite"), Error);
}
