// check_optimizer: tests the rules for every optimiser. One line per optimiser:
//     check_optimizer([](std::vector<Parameter> p) { return std::make_unique<MyOptimizer>(std::move(p)); });
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <set>

#include "../optim/optimizer.h"

namespace evenkeel {

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(std::vector<Parameter>)>;

// Describes an optimiser's first error, "" if there is none.
inline std::string optimizer_fault(const MakeOptimizer& make) {
  const auto trained = [](real lr_factor) {  // a filter bank, a matrix, a vector: the same values at every call
    Random draw(7);
    std::vector<Parameter> all;
    for (const Shape& shape : {Shape{4, 3, 3, 2}, Shape{5, 4}, Shape{6}})
      all.push_back({fmt::format("p{}", all.size()), Tensor::normal(shape, draw).track(), true, lr_factor});
    return all;
  };
  Random draw(8);
  const auto gradients = [&](const Optimizer& o) {
    Grads all;
    for (const Parameter& p : o.parameters()) all.push_back(Tensor::normal(p.value.shape(), draw));
    return all;
  };
  const auto bits = [](const std::vector<Parameter>& all) {
    std::vector<std::vector<real>> values;
    for (const Parameter& p : all) values.push_back(p.value.values());
    return values;
  };
  const auto copy = [](const std::vector<Parameter>& from, const std::vector<Parameter>& to) {
    for (size_t i = 0; i < from.size(); ++i) Tensor(to[i].value).copy_from(from[i].value);
  };
  try {
    const std::vector<Parameter> network = trained(1);
    const auto one = make(network), resumed = make(trained(1)), faster = make(trained(3)), scheduled = make(trained(1));
    scheduled->set_lr(3 * scheduled->lr());
    const auto before = bits(network);
    for (int t = 0; t < 3; ++t) {
      const Grads g = gradients(*one);
      Grads kept;
      for (const Tensor& v : g) kept.push_back(v.clone());
      one->step(g);
      faster->step(g);
      scheduled->step(g);
      for (size_t i = 0; i < g.size(); ++i)
        if (g[i].values() != kept[i].values()) return "step() writes to the gradients";
    }
    const auto after = bits(network), scaled = bits(faster->parameters()), set = bits(scheduled->parameters());
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] == before[i]) return fmt::format("step() leaves {} unchanged", network[i].name);
      for (real v : after[i])
        if (!std::isfinite(v)) return fmt::format("step() makes a value of {} that is not finite", network[i].name);
      if (after[i] == set[i]) return "the step does not depend on set_lr(): use lr(i)";
      if (after[i] == scaled[i]) return "the step does not depend on Parameter::lr_factor: use lr(i)";
    }

    const std::vector<Parameter> state = one->state();
    std::set<std::string> names;
    for (const Parameter& s : state)
      if (!names.insert(s.name).second) return fmt::format("state() has two tensors called {}", s.name);
    const std::vector<Parameter> same = resumed->state();
    if (same.size() != state.size()) return "state() has another number of tensors before the first step";
    copy(one->parameters(), resumed->parameters());
    copy(state, same);
    const Grads g = gradients(*one);
    one->step(g);
    resumed->step(g);
    if (bits(one->parameters()) != bits(resumed->parameters()) || bits(one->state()) != bits(resumed->state()))
      return "with parameters and state() copied, the next step differs: state() lacks a tensor, or returns copies";
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline void check_optimizer(const MakeOptimizer& make) { CHECK(optimizer_fault(make) == ""); }

}  // namespace evenkeel
