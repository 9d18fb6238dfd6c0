// The examples of the README files: ops and a layer of one's own, each checked by one line, and the instruments.
#include <algorithm>
#include <cmath>

#include "data/loader.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/model/inspect.h"
#include "layers/norm/batch_norm.h"
#include "optim/curvature/movement.h"
#include "optim/optimizer.h"
#include "tests/check_layer.h"
#include "tests/check_optimizer.h"

// [op]
using namespace evenkeel;

// swish(x) = x sigmoid(x) (Ramachandran et al. 2017): its value, and how a gradient g is pulled back through it.
Tensor swish(const Tensor& x) {
  return unary(
      x, [](real v) { return v * sigmoid(v); },
      [](auto v, auto, auto g) {
        const auto s = sigmoid(v);
        return g * (s + v * s * (1 - s));
      });
}
TEST_CASE("swish") {
  check_grad([](const Inputs& x) { return swish(x[0]); }, {random({3, 4})}, 3);
}
// [/op]

// [two inputs]
// y = sqrt(a^2 + b^2): record() takes the value, the inputs, and the vector-Jacobian product.
Tensor hypotenuse(const Tensor& a, const Tensor& b) {
  const Tensor y = map(a, b, [](real p, real q) { return std::sqrt(p * p + q * q); });
  return record(y, {a, b}, [a, b](const Tensor& out, const Tensor& g) {
    const Tensor s = g / out;
    return Grads{a.tracked() ? s * a : Tensor(), b.tracked() ? s * b : Tensor()};
  });
}
TEST_CASE("hypotenuse") {
  check_grad([](const Inputs& x) { return hypotenuse(x[0], x[1]); }, {random({3, 4}), random({3, 4})}, 3);
}
// [/two inputs]

// [layer]
// y = alpha x where x < 0, x elsewhere, with one learned alpha a channel (He et al. 2015).
struct PRelu : Layer {
  explicit PRelu(int64_t channels) : alpha(Tensor::full({channels}, real(0.25)).track()) {}
  Tensor forward(const Tensor& x, Mode) override { return relu(x) - scale_per_channel(relu(-x), alpha); }
  void visit(Visitor& v) override { v.parameter("alpha", alpha, false); }
  std::string describe() const override { return "prelu"; }
  Owned alpha;
};
TEST_CASE("prelu") { check_layer(PRelu(4), random_off_zero({3, 4})); }
// [/layer]

// [optimiser]
// w -= lr sign(g) (Bernstein et al. 2018).
struct SignSgd : Optimizer {
  SignSgd(std::vector<Parameter> parameters, real lr) : Optimizer(std::move(parameters), lr) {}
  void update(const Grads& grads) override {
    for (size_t i = 0; i < grads.size(); ++i) {
      Tensor w = parameters_[i].value;
      w.copy_from(w.detach() - lr(i) * sign(grads[i]));
    }
  }
};
TEST_CASE("sign sgd") {
  const Tensor w = Tensor::of({3}, {1, 2, 3}).track();
  SignSgd({{"w", w, true}}, 0.5).step({Tensor::of({3}, {-7, 0, 0.1})});
  CHECK(w.values() == std::vector<real>{1.5, 2, 2.5});
  check_optimizer([](std::vector<Parameter> p) { return std::make_unique<SignSgd>(std::move(p), 0.1); });
}
// [/optimiser]

// [instruments]
// What enters every ReLU, how the next step turns every weight, and how sharp the loss is there.
std::string report(Sequential& network, const Batch& batch, double lr) {
  std::string text;
  inspect(network, batch.x, Mode::probe, [&](const LayerIO& s) {
    if (s.layer.describe() != "relu") return;
    const Tensor p = percentiles(reshape(s.x, {s.x.size(), 1}), {.15, .5, .85});
    text += fmt::format("{}: 15 % below {:.2f}, half below {:.2f}, 85 % below {:.2f}\n", s.name, p.data()[0],
                        p.data()[1], p.data()[2]);
  });
  const std::vector<Parameter> all = parameters(network);
  const auto loss = [&] { return cross_entropy(network.forward(batch.x, Mode::probe), batch.labels); };
  for (const Movement& m : movements(all, grad(loss(), values(all)), lr))
    text += fmt::format("{}: |gradient| {:.3g}, |w| {:.3g}, lr / |w|^2 {:.2g}, angle {:.2g}\n", m.name, m.gradient,
                        m.weight, m.effective_rate, m.angle);
  for (const GradientShift& s : gradient_shifts(loss, all, lr))
    text += fmt::format("{}: gradient shifted, cosine {:.3f}\n", s.layer, s.cosine);
  Random random(1);
  const Eigenvalue sharpest = largest_eigenvalue(loss, values(all), random);
  return text + fmt::format("largest eigenvalue {:.3g} +- {:.1g}, smoothness along the gradient {:.3g}\n",
                            sharpest.value, sharpest.residual, along_gradient(loss, values(all), {lr}).smoothness);
}
// [/instruments]

TEST_CASE("the report moves nothing, and has a line for each layer") {
  Random seed(1);
  Sequential network{Dense(4, 5, seed, false), BatchNorm(5), Relu(), Dense(5, 3, seed)};
  const Batch batch{random({9, 4}), {0, 1, 2, 0, 1, 2, 0, 1, 2}};
  const auto all = [&] {
    std::vector<std::vector<real>> v;
    for (const Tensor& t : values(parameters(network))) v.push_back(t.values());
    return v;
  };
  const auto before = all();
  const std::string text = report(network, batch, 0.1);
  CHECK(all() == before);
  CHECK(dynamic_cast<BatchNorm&>(network[1]).batches.item() == 0);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 5 + 3 + 1);
  for (const char* part : {"2: 15 % below", "0.weight: |gradient|", "1: gradient shifted", "largest eigenvalue"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
}
