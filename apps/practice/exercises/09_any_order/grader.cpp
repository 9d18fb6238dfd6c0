#include <evenkeel/practice.h>

using namespace evenkeel;
using namespace evenkeel::practice;

Tensor normalise(const Tensor& x, double eps);

namespace {

constexpr double eps = 0.01;
using Function = std::function<Tensor(const Tensor&)>;

Tensor definition(const Tensor& x) {
  const Tensor centred = add_per_channel(x, -mean_rows(x));
  return scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps));
}
Tensor learners(const Tensor& x) { return normalise(x, eps); }

// The gradients of <f(x), c>, of its derivative along v, of that one's derivative along v ...
std::vector<Tensor> gradients(const Function& f, const Tensor& at, const Tensor& c, const Tensor& v, int orders) {
  const Tensor x = at.clone().track();
  std::vector<Tensor> all;
  Tensor along = dot(f(x), c);
  for (int k = 1; k <= orders; ++k) {
    if (!along.tracked()) {
      all.push_back(Tensor::zeros(x.shape()));
      continue;
    }
    const Tensor g = grad(along, {x}, {.differentiable = true})[0];
    all.push_back(g.detach());
    along = dot(g, v);
  }
  return all;
}

}  // namespace

void grade(Grade& g) {
  Random random(9);
  const Tensor x = Tensor::normal({4, 2}, random, 1, 2), c = Tensor::normal({4, 2}, random),
               v = Tensor::normal({4, 2}, random);

  g.law("value", "y = (x - mu) / sqrt(var + eps), column by column.", "const Tensor value");
  g.given("x", x);
  g.equal("y", definition(x), learners(x));

  const std::vector<Tensor> expected = gradients(definition, x, c, v, 4), found = gradients(learners, x, c, v, 4);
  g.law("first", "The gradient of sum(c y) is that of the definition.", "return record");
  g.given("x", x);
  g.given("c", c);
  g.equal("gradient", expected[0], found[0]);

  g.law("second",
        "The gradient can be differentiated again: the gradient of sum(v * gradient of sum(c y)) is that of the "
        "definition.",
        "return record");
  g.given("c", c);
  g.given("x", x);
  g.given("v", v);
  g.equal("second derivative, along v", expected[1], found[1]);

  g.law("after", "The same holds where another function follows: for sum(c tanh(y)) in place of sum(c y).",
        "return record");
  g.given("c", c);
  g.given("v", v);
  g.given("x", x);
  const auto behind = [](const Function& f) { return [f](const Tensor& t) { return tanh(f(t)); }; };
  g.equal("second derivative, along v", gradients(behind(definition), x, c, v, 2)[1],
          gradients(behind(learners), x, c, v, 2)[1]);

  g.law(
      "higher",
      "It can be differentiated once and twice more: the third and the fourth derivative are those of the definition.",
      "return record");
  g.given("c", c);
  g.given("x", x);
  g.given("v", v);
  g.equal("third derivative, along v twice", expected[2], found[2]);
  g.equal("fourth derivative, along v three times", expected[3], found[3]);
}
