#include "optim/named_optimizers.h"

#include <doctest/doctest.h>

#include "optim/adamw.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

std::vector<real> after_steps(Optimizer& optimizer) {
  optimizer.set_lr(real(0.1));
  for (int t = 1; t <= 5; ++t) optimizer.step({Tensor::of({2}, {real(t), real(-2)})});
  return optimizer.parameters()[0].value.values();
}

}  // namespace

TEST_CASE("an optimiser by its text takes the steps of one that is made with the same options") {
  const auto start = [] { return std::vector<Parameter>{{"w", Tensor::of({2}, {1, 2}), true}}; };
  const auto named = [&](const std::string& text) { return after_steps(*make_optimizer(text, start())); };
  const auto sgd = [&](const SgdOptions& o) { return after_steps(*std::make_unique<Sgd>(start(), o)); };
  const auto adamw = [&](const AdamWOptions& o) { return after_steps(*std::make_unique<AdamW>(start(), o)); };
  CHECK(named("sgd") == sgd({}));
  CHECK(named("sgd:momentum=0.9:weight_decay=5e-4:nesterov=on") ==
        sgd({.momentum = real(0.9), .weight_decay = real(5e-4), .nesterov = true}));
  CHECK(named("adamw") == adamw({}));
  CHECK(named("adamw:beta1=0.8:beta2=0.99:eps=1e-3:weight_decay=0.1") ==
        adamw({.beta1 = real(0.8), .beta2 = real(0.99), .eps = real(1e-3), .weight_decay = real(0.1)}));
  CHECK(named("sgd") != named("sgd:momentum=0.9"));
  CHECK_THROWS_WITH_AS(make_optimizer("adam", {}), "optimizer: none is called 'adam'; there are adamw, muon, sgd",
                       Error);
  CHECK_THROWS_WITH_AS(make_optimizer("sgd:nesterov=on", {}), doctest::Contains("Nesterov's form needs momentum"),
                       Error);
}

TEST_CASE("a name of a program's own that makes no optimiser is an error with the name") {
  Optimizers known = standard_optimizers();
  known["nothing"] = {[](std::vector<Parameter>, SpecArguments&) { return std::unique_ptr<Optimizer>(); }, "nothing",
                      1};
  known["empty"] = {};
  for (const std::string name : {"nothing", "empty"})
    CHECK_THROWS_WITH_AS(make_optimizer(name, {}, known),
                         ("optimizer: the function of '" + name + "' made no optimiser; it must return one").c_str(),
                         Error);
}
