#include "tests/check_optimizer.h"

#include "core/ops/elementwise.h"
#include "optim/adamw.h"
#include "optim/muon.h"

using namespace evenkeel;

namespace {

// Gradient descent with momentum, with one mistake.
enum class Mistake {
  none,
  no_state,
  copied_state,
  own_rate,
  fixed_rate,
  own_tensors,
  one_name,
  writes,
  sleeps,
  infinite
};
struct Faulty : Optimizer {
  Faulty(std::vector<Parameter> p, Mistake m) : Optimizer(std::move(p), real(0.1)), mistake(m) {
    for (const Parameter& q : parameters_) momenta.push_back(Tensor::zeros(q.value.shape()));
  }
  std::vector<Parameter> state() const override {
    std::vector<Parameter> all;
    if (mistake == Mistake::no_state) return all;
    for (size_t i = 0; i < momenta.size(); ++i)
      all.push_back({mistake == Mistake::one_name ? "m" : "m." + parameters_[i].name,
                     mistake == Mistake::copied_state ? momenta[i].clone() : momenta[i], false});
    return all;
  }
  void update(const Grads& grads) override {
    for (size_t i = 0; i < grads.size(); ++i) {
      Tensor w = parameters_[i].value, g = grads[i];
      if (mistake == Mistake::sleeps && i == 1) continue;
      momenta[i].copy_from(real(0.9) * momenta[i] + g);
      const real rate = mistake == Mistake::own_rate     ? lr()
                        : mistake == Mistake::fixed_rate ? real(0.1) * parameters_[i].lr_factor
                                                         : lr(i);
      const Tensor next = w.detach() - rate * (mistake == Mistake::infinite ? log(momenta[i]) : momenta[i]);
      if (mistake == Mistake::own_tensors)
        parameters_[i].value = next;
      else
        w.copy_from(next);
      if (mistake == Mistake::writes) g.mutable_data()[0] = 0;
    }
  }
  Mistake mistake;
  std::vector<Tensor> momenta;
};

std::string fault_of(Mistake m) {
  return optimizer_fault([m](std::vector<Parameter> p) { return std::make_unique<Faulty>(std::move(p), m); });
}

}  // namespace

TEST_CASE("check_optimizer: the library's optimisers keep its rules") {
  check_optimizer([](std::vector<Parameter> p) { return std::make_unique<Sgd>(std::move(p)); });
  check_optimizer([](std::vector<Parameter> p) {
    return std::make_unique<Sgd>(std::move(p), SgdOptions{.momentum = real(0.9), .nesterov = true});
  });
  check_optimizer([](std::vector<Parameter> p) { return std::make_unique<AdamW>(std::move(p)); });
  check_optimizer([](std::vector<Parameter> p) { return std::make_unique<Muon>(std::move(p)); });
}

TEST_CASE("check_optimizer: it names each mistake") {
  CHECK(fault_of(Mistake::none) == "");
  CHECK(fault_of(Mistake::no_state).find("state() lacks a tensor") != std::string::npos);
  CHECK(fault_of(Mistake::copied_state).find("or returns copies") != std::string::npos);
  CHECK(fault_of(Mistake::own_rate).find("use lr(i)") != std::string::npos);
  CHECK(fault_of(Mistake::fixed_rate) == "the step does not depend on set_lr(): use lr(i)");
  CHECK(fault_of(Mistake::own_tensors) == "step() leaves p0 unchanged");
  CHECK(fault_of(Mistake::one_name) == "state() has two tensors called m");
  CHECK(fault_of(Mistake::writes) == "step() writes to the gradients");
  CHECK(fault_of(Mistake::infinite) == "step() makes a value of p0 that is not finite");
  CHECK(fault_of(Mistake::sleeps) == "step() leaves p1 unchanged");
}
