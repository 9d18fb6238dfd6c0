// Deeper networks train with batch normalisation and not without, and why: the gradient at every layer of a sigmoid
// network: claims A3.10 and A5.1.
#include "apps/lab/training.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  bool tanh = false;
  static void each(auto& o, auto&& option) { option("tanh", o.tanh, Words{"off", "on"}, "tanh instead of sigmoids"); }
};

struct Outcome {
  double accuracy = 0;
  std::vector<double> gradients;  // |gradient| of every hidden layer's weights after half of the steps
};

Outcome trained(Lab& lab, const Parameters& p, const std::string& norm, int64_t depth, int64_t steps, uint64_t seed) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  std::string model = "mlp:50";
  for (int64_t l = 1; l < depth; ++l) model += "-50";
  const auto net = network(model, norm, p.tanh ? "tanh" : "sigmoid", seed);
  const std::vector<Parameter> all = parameters(*net);
  Batches batches(data.train, pixels, 64, seed);
  Outcome found;
  train(*net, batches, {.lr = .1}, steps, [&](const Step& step) {
    if (step.number != steps / 2) return;
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i].value.shape() == Shape{50, 50}) found.gradients.push_back(l2_norm(step.gradients[i]));
  });
  found.accuracy = accuracy(*net, first(data.test, pixels, 2000));
  return found;
}

void run(Lab& lab, const Parameters& p) {
  const int64_t steps = lab.quick_or_full(300, 1000);
  Series plain{"without", {}, {}, 1}, bn{"with batch norm", {}, {}, 2};
  Series plain_gradients{"without", {}, {}, 1}, bn_gradients{"with batch norm", {}, {}, 2};
  std::vector<double> plain_deep, bn_deep, plain_share, bn_share;
  for (int64_t depth : {2, 4, 8}) {
    for (uint64_t seed : lab.seeds()) {
      const Outcome without = trained(lab, p, "none", depth, steps, seed),
                    with = trained(lab, p, "batch", depth, steps, seed);
      if (seed == 1) {
        plain.x.push_back(static_cast<double>(depth)), bn.x.push_back(static_cast<double>(depth));
        plain.y.push_back(without.accuracy), bn.y.push_back(with.accuracy);
      }
      if (depth < 8) continue;
      plain_deep.push_back(without.accuracy), bn_deep.push_back(with.accuracy);
      plain_share.push_back(without.gradients.front() / without.gradients.back());
      bn_share.push_back(with.gradients.front() / with.gradients.back());
      if (seed != 1) continue;
      for (size_t l = 0; l < without.gradients.size(); ++l) {
        plain_gradients.x.push_back(static_cast<double>(l + 2)), bn_gradients.x.push_back(static_cast<double>(l + 2));
        plain_gradients.y.push_back(without.gradients[l]), bn_gradients.y.push_back(with.gradients[l]);
      }
    }
  }
  lab.between("A5.1", "eight layers without: it only guesses, accuracy at most 0.2", 0, .2, plain_deep, true);
  lab.between("A5.1", "eight layers with batch norm: it learns, accuracy at least 0.5", .5, 1, bn_deep, true);
  lab.between("A3.10", "without: gradient of layer 2 over that of layer 8, at most 0.05", 0, .05, plain_share, true);
  lab.between("A3.10", "with batch norm: the same, at least 0.2", .2, INFINITY, bn_share, true);
  lab.figure(
      {{.title = "Depth and accuracy",
        .x_label = "hidden layers of 50 units",
        .y_label = fmt::format("test accuracy after {} steps", steps),
        .series = {plain, bn}},
       {.title = "The gradient at each of eight layers",
        .x_label = "layer",
        .y_label = "norm of the weights' gradient",
        .series = {plain_gradients, bn_gradients},
        .log_y = true}},
      {.shows = fmt::format("Networks of {} with 2, 4 and 8 hidden layers train on Fashion-MNIST (lr 0.1, batches "
                            "of 64, seed 1). Left their accuracy on 2000 test images. Right, for the deepest, the "
                            "norm of the gradient of every layer's weights halfway through.",
                            p.tanh ? "tanh units" : "sigmoids"),
       .predicted = "Without normalisation every sigmoid layer passes on at most a quarter of the gradient, so "
                    "that the first layers of a deep network learn nothing. With it all layers get some.",
       .seen = fmt::format("With eight layers {:.2f} without and {:.2f} with batch norm; layer 2 has {:.2g} and "
                           "{:.2g} of the gradient of layer 8.",
                           plain_deep[0], bn_deep[0], plain_share[0], bn_share[0])});
}

}  // namespace

extern const Experiment depth{
    "depth",
    "Gradient flow",
    "Do deeper networks train with batch normalisation, and not without?",
    "A network of eight sigmoid layers learns with it and only guesses without, because no gradient reaches its first "
    "layers.",
    "Without, eight layers of sigmoids guess, and the gradient of layer 2 is at most a twentieth of that of layer 8; "
    "with batch normalisation they learn, and it is at least a fifth.",
    run,
    {"Use tanh, whose slope at 0 is 1 and not 1/4: does the gradient still vanish without batch norm?", "tanh=on",
     "without: gradient", 0.2, 10,
     "No. Where every layer passes on nearly all of the gradient, eight layers are not "
     "too many, and a plain network trains too."}};

}  // namespace evenkeel::lab
