#include <doctest/doctest.h>

#include "optim/adamw.h"
#include "optim/groups.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

std::vector<Parameter> some() {
  std::vector<Parameter> all;
  for (const char* name : {"0.bias", "3.weight", "4.weight", "4.bias", "12.bias"})
    all.push_back({name, Tensor::of({2}, {1, -2}).track(), true});
  return all;
}

std::string factors(const std::string& groups) {
  std::string text;
  for (const Parameter& p : grouped(some(), groups)) text += fmt::format("{}/{} ", p.lr_factor, p.decay_factor);
  return text;
}

}  // namespace

TEST_CASE("groups: the first pattern that fits a name gives its factors") {
  CHECK(factors("") == "1/1 1/1 1/1 1/1 1/1 ");
  CHECK(factors("*.bias:lr=64:decay=0.5") == "64/0.5 1/1 1/1 64/0.5 64/0.5 ");
  CHECK(factors("0.bias *.bias:lr=64") == "1/1 1/1 1/1 64/1 64/1 ");
  CHECK(factors("4.*:lr=2 *:decay=0") == "1/0 1/0 2/1 2/1 1/0 ");
  CHECK(factors("*2.b*s:lr=3") == "1/1 1/1 1/1 1/1 3/1 ");
  CHECK_THROWS_WITH_AS(grouped(some(), "5.bias:lr=2"), doctest::Contains("\"5.bias\" is the name of no parameter"),
                       Error);
  CHECK_THROWS_WITH_AS(grouped(some(), "* 4.bias:lr=2"), doctest::Contains("have a group already"), Error);
  CHECK_THROWS_WITH_AS(grouped(some(), "*:rate=2"), doctest::Contains("PATTERN[:lr=1][:decay=1]"), Error);
  CHECK_THROWS_AS(grouped(some(), "*:lr=-1"), Error);
  CHECK_THROWS_AS(grouped(some(), "*****:lr=1"), Error);
}

TEST_CASE("groups: an optimiser moves each parameter as one of its own with that rate and that decay would") {
  const Tensor g = Tensor::of({2}, {0.3, -0.1});
  const auto check_it = [&](auto make) {
    std::vector<Parameter> all = grouped(some(), "*.bias:lr=4:decay=0.5");
    auto together = make(all, 0.1, 0.2);
    for (int t = 0; t < 3; ++t) together.step(Grads(all.size(), g));
    for (const Parameter& p : all) {
      Parameter alone{p.name, Tensor::of({2}, {1, -2}).track(), true};
      const bool bias = p.name.ends_with("bias");
      auto one = make({alone}, bias ? 0.4 : 0.1, bias ? 0.1 : 0.2);
      for (int t = 0; t < 3; ++t) one.step({g});
      CHECK(p.value.values() == alone.value.values());
    }
  };
  check_it([](std::vector<Parameter> p, real lr, real decay) {
    return Sgd(std::move(p), {.lr = lr, .momentum = 0.9, .weight_decay = decay});
  });
  check_it([](std::vector<Parameter> p, real lr, real decay) {
    return AdamW(std::move(p), {.lr = lr, .weight_decay = decay});
  });
}
