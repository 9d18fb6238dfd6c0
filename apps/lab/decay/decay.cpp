// Weight decay in a batch-norm network is a learning-rate schedule, and brings its norms to an equilibrium: claims
// A8.6, A8.7 and A8.11.
#include "apps/lab/training.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double lr = 0.2;
  double decay = 0.01;
  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0.01, 1}, "learning rate of the network on images");
    option("decay", o.decay, Range{0.001, 0.1}, "its weight decay");
  }
};

// The losses of a batch-norm network with decay of its hidden weights, or with a growing learning rate for them
// instead.
std::vector<double> losses(bool as_schedule, double lr, double decay, int steps) {
  Random random(7);
  const Tensor x = Tensor::normal({40, 6}, random);
  Labels labels;
  for (int i = 0; i < 40; ++i) labels.push_back(static_cast<int32_t>(random.below(3)));
  std::vector<Tensor> w{Tensor::normal({6, 10}, random), Tensor::normal({10, 10}, random),
                        Tensor::normal({10, 3}, random), ones(10)};
  for (Tensor& t : w) t.track();
  std::vector<double> all;
  for (int t = 0; t < steps; ++t) {
    Tensor h = x;
    for (size_t l = 0; l < 2; ++l) h = tanh(batch_norm(matmul(h, w[l]), w[3], zeros(10), 0).y);
    const Tensor loss = cross_entropy(matmul(h, w[2]), labels);
    all.push_back(loss.item());
    const Grads g = grad(loss, w);
    for (size_t i = 0; i < 4; ++i) {
      const bool invariant = i < 2;
      const double rate = invariant && as_schedule ? lr * std::pow(1 - lr * decay, -2.0 * t - 1) : lr;
      w[i].copy_from(w[i].detach() * (1 - (invariant && !as_schedule ? lr * decay : 0)) - g[i].detach() * rate);
    }
  }
  return all;
}

// A real network's 64 x 64 layer in equilibrium: |W|^4 and the angle over their predictions; its norm at each step.
struct Settled {
  double fourth, turned;
  Series norm{"measured", {}, {}, 1};
};
Settled settled(Lab& lab, double lr, double decay, int64_t steps, uint64_t seed) {
  const auto net =
      network("mlp:64-64", "batch:eps=1e-10", "relu", seed, "gaussian:0.02");  // no larger: decay alone would take long
  Batches batches(lab.images().train, measure(lab.images().train), 64, seed);
  const std::vector<Parameter> all = parameters(*net);
  const size_t k = static_cast<size_t>(std::find_if(all.begin(), all.end(),
                                                    [](const Parameter& p) {
                                                      return p.value.shape() == Shape{64, 64};
                                                    }) -
                                       all.begin());
  Sample fourth, squared, turn;
  Tensor before;
  Settled s;
  train(*net, batches, {.lr = lr, .weight_decay = decay}, steps, [&](const Step& step) {
    const Tensor w = all[k].value.detach();
    const double n = l2_norm(w);
    if (step.number % 20 == 0) s.norm.x.push_back(static_cast<double>(step.number)), s.norm.y.push_back(n);
    if (step.number < steps / 2) return;
    if (before.defined()) turn.add(angle(before, w));
    before = w.clone();
    fourth.add(std::pow(n, 4));
    squared.add(std::pow(n * l2_norm(step.gradients[k]), 2));
  });
  s.fourth = fourth.mean() / (squared.mean() * lr / (2 * decay - lr * decay * decay));
  s.turned = turn.mean() / std::sqrt(2 * lr * decay);
  return s;
}

void run(Lab& lab, const Parameters& p) {
  const std::vector<double> decayed = losses(false, .1, .02, 300), scheduled = losses(true, .1, .02, 300);
  lab.same("A8.11", "losses over 300 steps: decay, and no decay with $lr (1 - lr wd)^(-2t-1)$", decayed, scheduled,
           1e-12);

  const double lr = p.lr, wd = p.decay;
  std::vector<double> fourths, turns;
  Series trace;
  for (uint64_t seed : lab.seeds()) {
    const Settled s = settled(lab, lr, wd, lab.quick_or_full(900, 2500), seed);
    if (seed == 1) trace = s.norm;
    fourths.push_back(s.fourth), turns.push_back(s.turned);
  }
  lab.between("A8.6", "a trained network's layer: $|W|^4$ over $lr G^2 / (2 wd - lr wd^2)$, of the mean $G^2$", .8,
              1.25, fourths, true);
  lab.between("A8.7", "its angle per step over $sqrt(2 lr wd)$", .8, 1.25, turns, true);
  lab.observed("A8.7", "its angle per step, in radians", fmt::format("{:.4f}: $sqrt(2 lr wd)$", std::sqrt(2 * lr * wd)),
               {turns[0] * std::sqrt(2 * lr * wd)});
  const std::vector<double> index = grid(0, 299, 300);
  const auto at = [](const std::vector<double>& all) {
    return [&all](double t) { return all[static_cast<size_t>(t)]; };
  };
  lab.figure(
      {{.title = "Decay or schedule",
        .x_label = "step (lr 0.1, weight decay 0.02)",
        .y_label = "loss",
        .series = {curve("predicted: decay replaced by a growing rate", index, at(scheduled), 0, true),
                   curve("measured, with decay", index, at(decayed), 1)}},
       {.title = "A layer of a network on images",
        .x_label = fmt::format("step (lr {}, weight decay {})", lr, wd),
        .y_label = "norm of its weight matrix",
        .series = {trace}}},
      {.shows = "Left: the loss of a small batch-norm network against the step, once with weight decay on its hidden "
                "weights, once "
                "without decay but with a rate for them that grows as $(1 - lr wd)^(-2t-1)$. Right: the norm of the "
                "second weight "
                "matrix of a network that trains on Fashion-MNIST with decay.",
       .predicted = "Left, the two curves are equal up to rounding. Right, the norm goes to the equilibrium of decay "
                    "and gradients, not to zero.",
       .seen = fmt::format(
           "Right the fourth power of the norm settles at {:.2f} of the predicted one, and a step turns the matrix "
           "by {:.2f} of the predicted angle (seed 1).",
           fourths[0], turns[0])});
}

}  // namespace

extern const Experiment decay{
    "decay",
    "Weight decay",
    "What does weight decay do, if the size of weights does not matter?",
    "It is a learning-rate schedule: without decay, a growing rate gives the same losses.",
    "It is a learning-rate schedule, exactly: $lr (1 - lr wd)^(-2 t - 1)$ without decay gives the same losses. In a "
    "network that trains, $|W|^4$ settles at $lr G^2 / (2 wd)$ and a step's angle at $sqrt(2 lr wd)$.",
    run,
    {"Halve the rate and double the decay: does a step turn the matrix by another angle?", "lr=0.1 decay=0.02",
     "its angle per step, in radians", 0.05, 0.08,
     "No: $sqrt(2 lr wd)$ is the same 0.063. The norm is smaller, and makes up for the smaller rate."}};

}  // namespace evenkeel::lab
