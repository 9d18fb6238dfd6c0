#include <evenkeel/practice.h>

using namespace evenkeel;
using evenkeel::practice::Grade;

void sgd_step(const std::vector<Parameter>& parameters, const Grads& grads, double lr, double lambda);

namespace {

constexpr double lr = 0.1, lambda = 0.5;

// dense, batch norm, ReLU, dense; gamma and the biases are moved away from 1 and 0.
struct Trained {
  Trained() {
    Random random(18);
    network.reset(new Sequential{Dense(3, 2, random), BatchNorm(2), Relu(), Dense(2, 2, random)});
    all = parameters(*network);
    for (Parameter& p : all) {
      if (!p.decay) p.value.copy_from(Tensor::uniform(p.value.shape(), random, 0.5, 2));
      before.push_back(p.value.clone());
      gradients.push_back(Tensor::normal(p.value.shape(), random));
      zeros.push_back(Tensor::zeros(p.value.shape()));
    }
  }
  void equal(Grade& g, const std::string& kind, bool weights, double keep, double step) const {
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i].decay == weights) {
        g.given("before", before[i]);
        g.equal(kind + " " + all[i].name, before[i] * keep - gradients[i] * step, all[i].value.clone());
      }
  }
  std::unique_ptr<Sequential> network;
  std::vector<Parameter> all;
  Grads before, gradients, zeros;
};

}  // namespace

void grade(Grade& g) {
  const std::string look = "void sgd_step";
  g.law("plain",
        "Without a penalty, lambda = 0, every parameter takes a step against its gradient: new = old - lr * g.", look);
  g.given("lr, lambda", {lr, 0});
  {
    const Trained t;
    sgd_step(t.all, t.gradients, lr, 0);
    t.equal(g, "weights", true, 1, lr);
    t.equal(g, "parameter", false, 1, lr);
  }

  g.law("weights", "The weights of every layer shrink: where the loss has no gradient, new = (1 - 2 lr lambda) old.",
        look);
  g.given("lr, lambda", {lr, lambda});
  {
    const Trained t;
    sgd_step(t.all, t.zeros, lr, lambda);
    t.equal(g, "weights", true, 1 - 2 * lr * lambda, 0);
  }

  g.law("norms", "gamma, beta and biases do not shrink: where the loss has no gradient, they stay as they are.", look);
  g.given("lr, lambda", {lr, lambda});
  {
    const Trained t;
    sgd_step(t.all, t.zeros, lr, lambda);
    t.equal(g, "parameter", false, 1, 0);
  }

  g.law("both", "Gradient and penalty are one step from the old value: new = old - lr * (g + 2 lambda old).", look);
  g.given("lr, lambda", {lr, lambda});
  {
    const Trained t;
    sgd_step(t.all, t.gradients, lr, lambda);
    t.equal(g, "weights", true, 1 - 2 * lr * lambda, lr);
    t.equal(g, "parameter", false, 1, lr);
  }
}
