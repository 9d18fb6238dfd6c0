#include <evenkeel/practice.h>

using namespace evenkeel;

LayerPtr make_norm(int64_t channels);

namespace {

struct Found : Visitor {
  void parameter(const std::string& name, Tensor& value, bool) override {
    if (name == "weight") gamma = value;
    if (name == "bias") beta = value;
    ++parameters;
  }
  void buffer(const std::string& name, Tensor& value) override {
    if (name == "running_mean") mean = value;
    if (name == "running_var") var = value;
  }
  Tensor gamma, beta, mean, var;
  int parameters = 0;
};

Found find(Layer& layer) {
  Found found;
  layer.visit(found);
  return found;
}

// The same, with copies of the averages as they are now.
Found now(Layer& layer) {
  Found found = find(layer);
  found.mean = found.mean.clone();
  found.var = found.var.clone();
  return found;
}

}  // namespace

void grade(evenkeel::practice::Grade& g) {
  constexpr double eps = 1e-5;
  Random random(14);
  const Tensor x = Tensor::normal({4, 2}, random, 3, 2), other = Tensor::normal({4, 2}, random, -1, 4);
  const Tensor ones = Tensor::full({2}, 1), zeros = Tensor::zeros({2});
  const Normalized first = batch_norm(x, ones, zeros, eps), second = batch_norm(other, ones, zeros, eps);

  g.law("train", "In Mode::train a batch is normalised by its own mean and variance.", "Tensor forward");
  const LayerPtr layer = make_norm(2);
  g.given("x", x);
  g.equal("y", first.y, layer->forward(x, Mode::train));

  g.law("saved",
        "The running averages are saved with the network: visit() names them as buffers, \"running_mean\" and "
        "\"running_var\". In a new layer they are 0 and 1.",
        "void visit");
  const Found first_found = find(*layer);
  g.holds(first_found.parameters == 2, "visit() names them as parameters: an optimiser would change them.");
  g.holds(first_found.mean.defined() && first_found.var.defined(),
          "visit() names no such buffers: a saved network would lose them.");
  const LayerPtr fresh = make_norm(2);
  g.equal("running_mean of a new layer", zeros, find(*fresh).mean);
  g.equal("running_var of a new layer", ones, find(*fresh).var);

  g.law("averages",
        "Each batch in Mode::train moves both averages: average = (1 - a) average + a batch's value, a = 0.1. They "
        "begin at 0 and 1. The variance is the one that divides by m.",
        "Tensor forward");
  g.given("x", x);
  g.given("batch's mean", first.mean);
  g.given("batch's variance", first.var);
  g.equal("running_mean", 0.1 * first.mean, now(*layer).mean);
  g.equal("running_var", 0.1 * first.var + 0.9, now(*layer).var);
  layer->forward(other, Mode::train);
  const Tensor mean = 0.09 * first.mean + 0.1 * second.mean, var = 0.09 * first.var + 0.81 + 0.1 * second.var;
  g.given("second batch", other);
  g.equal("running_mean", mean, now(*layer).mean);
  g.equal("running_var", var, now(*layer).var);

  g.law("probe", "Mode::probe normalises as Mode::train does, and no average moves.", "Tensor forward");
  g.given("x", x);
  g.equal("y", first.y, layer->forward(x, Mode::probe));
  g.equal("running_mean", mean, now(*layer).mean);
  g.equal("running_var", var, now(*layer).var);

  g.law("eval", "Mode::eval normalises by the running averages, whatever is in the batch.", "Tensor forward");
  g.given("x", x);
  g.given("running_mean", mean);
  g.given("running_var", var);
  g.equal("y", batch_norm_inference(x, mean, var, ones, zeros, eps), layer->forward(x, Mode::eval));
  const LayerPtr narrow = make_norm(2);
  for (int i = 0; i < 100; ++i) narrow->forward(Tensor::of({2, 2}, {5, 1, 5, 1}), Mode::train);  // a variance near 0
  const Found n = now(*narrow);
  g.given("running_mean", n.mean);
  g.given("running_var", n.var);
  g.equal("y", batch_norm_inference(x, n.mean, n.var, ones, zeros, eps), narrow->forward(x, Mode::eval));

  g.law("eval stays", "In Mode::eval no average moves.", "Tensor forward");
  g.given("x", other);
  layer->forward(other, Mode::eval);
  g.equal("running_mean", mean, now(*layer).mean);
  g.equal("running_var", var, now(*layer).var);

  g.law("gradients", "In every mode gradients reach x, gamma and beta, and none is kept in the averages.",
        "Tensor forward");
  const Tensor c = Tensor::normal({4, 2}, random);
  const Found f = find(*layer);
  for (const Mode mode : {Mode::train, Mode::probe, Mode::eval}) {
    const Tensor t = x.clone().track(), mu = now(*layer).mean, v = now(*layer).var;
    const Tensor y = mode == Mode::eval ? batch_norm_inference(t, mu, v, f.gamma, f.beta, eps)
                                        : batch_norm(t, f.gamma, f.beta, eps).y;
    const std::vector<Tensor> wrt{t, f.gamma, f.beta};
    const Grads expected = grad(y, wrt, {.cotangent = c}), found = grad(layer->forward(t, mode), wrt, {.cotangent = c});
    g.given("mode (0 train, 1 probe, 2 eval)", static_cast<double>(mode));
    g.equal("gradient of x", expected[0], found[0]);
    g.equal("gradient of gamma", expected[1], found[1]);
    g.equal("gradient of beta", expected[2], found[2]);
  }
  const Found after = find(*layer);
  g.holds(!after.mean.tracked() && !after.var.tracked(), "The averages are tracked: all batches stay in memory.");
}
