// Weight decay before batch normalisation in SGD, in Adam's gradient (L2) and beside Adam's step (AdamW): claim A8.13.
#include "apps/lab/training.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "optim/adamw.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t dimensions = 500;
constexpr double times = 8;  // the loss
// The average of squares has a memory of 100 steps, short compared with the 1 / (2 lr wd) steps in which norms reach
// equilibrium. With 0.999, 1000 steps, they interact, and equilibrium takes 2.6 times as long.
constexpr double beta2 = 0.99;

struct Parameters {
  double lr = 0.002;
  double decay = 0.25;
  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0.0005, 0.02}, "learning rate of AdamW");
    option("decay", o.decay, Range{0.05, 1}, "its weight decay");
  }
};

enum class Rule { sgd, adam_l2, adamw };

std::unique_ptr<Optimizer> optimizer(Rule rule, const std::vector<Parameter>& all, double lr, double decay) {
  if (rule == Rule::sgd) return std::make_unique<Sgd>(all, SgdOptions{.lr = lr, .weight_decay = decay});
  return std::make_unique<AdamW>(
      all, AdamWOptions{.lr = lr, .beta2 = beta2, .eps = 1e-30, .weight_decay = rule == Rule::adamw ? decay : 0});
}

// A scale-invariant weight under gradients of norm G / |w| that are orthogonal to it.
struct Settled {
  double norm, angle;           // means over the second half
  std::vector<double> history;  // |w| at every step
};
Settled settle(Rule rule, double lr, double decay, double gradient, double start, int64_t steps) {
  Random random(5);
  Tensor w = Tensor::normal({dimensions}, random);
  w = w * (start / l2_norm(w));
  const auto stepper = optimizer(rule, {{"w", w, true}}, lr, decay);
  Sample norm, turned;
  Settled s{};
  for (int64_t t = 0; t < steps; ++t) {
    const double n = l2_norm(w);
    s.history.push_back(n);
    Tensor g = Tensor::normal({dimensions}, random);
    g = g - w * (dot(g, w).item() / (n * n));
    g = g * (gradient / (l2_norm(g) * n));
    if (rule == Rule::adam_l2) g = g + w * decay;
    const Tensor before = w.clone();
    stepper->step({g});
    if (t >= steps / 2) norm.add(n), turned.add(angle(before, w));
  }
  s.norm = norm.mean(), s.angle = turned.mean();
  return s;
}

// The losses of a network with batch norm that trains by this rule, with its loss multiplied by `factor`.
std::vector<double> losses(Rule rule, double factor) {
  Random random(3);
  Sequential net{Dense(16, 24, random), BatchNorm(24), Tanh(), Dense(24, 24, random), BatchNorm(24), Tanh(),
                 Dense(24, 4, random)};
  const std::vector<Parameter> all = parameters(net);
  const auto stepper = optimizer(rule, all, .01, .1);
  Points points(16, 4, 0.3, 1);
  std::vector<double> found;
  for (int t = 0; t < 100; ++t) {
    const Batch b = points.draw(32);
    const Tensor loss = cross_entropy(net.forward(b.x, Mode::train), b.labels);
    found.push_back(loss.item());
    Grads g = grad(loss * factor, values(all));
    for (size_t i = 0; i < all.size(); ++i)
      if (rule == Rule::adam_l2 && all[i].decay) g[i] = g[i] + all[i].value.detach() * .1;
    stepper->step(g);
  }
  return found;
}

void run(Lab& lab, const Parameters& p) {
  constexpr double beta1 = .9, filter = (1 - beta1) / (1 + beta1), d = dimensions;
  const int64_t steps = lab.quick_or_full(6000, 12000);
  // In equilibrium the steps, orthogonal to w, add as much to |w|^2 as decay subtracts.
  const double adamw_norm = std::sqrt(p.lr * d / (2 * p.decay)), adamw_angle = std::sqrt(2 * p.lr * p.decay * filter);
  const Settled below = settle(Rule::adamw, p.lr, p.decay, 1, .7 * adamw_norm, steps),
                above = settle(Rule::adamw, p.lr, p.decay, 1, 1.4 * adamw_norm, steps),
                adamw_times = settle(Rule::adamw, p.lr, p.decay, times, .7 * adamw_norm, steps);
  const auto near_one = [&](const std::string& statement, double measured, double predicted) {
    lab.equal("A8.13", statement, 1, measured / predicted, .015);
  };
  near_one("AdamW: $|w|$ over $sqrt(lr d / (2 wd))$, from below", below.norm, adamw_norm);
  near_one("the same from above", above.norm, adamw_norm);
  near_one("AdamW: angle of a step over $sqrt(2 lr wd (1 - beta_1) / (1 + beta_1))$", below.angle, adamw_angle);
  lab.observed("A8.13", "AdamW: angle of a step, in radians", fmt::format("{:.4f}", adamw_angle), {below.angle});

  const double l2_lr = .002, l2 = .01, l2_norm_law = std::cbrt(l2_lr * std::sqrt(d) / (2 * l2));
  const Settled coupled = settle(Rule::adam_l2, l2_lr, l2, 1, l2_norm_law, steps),
                coupled_times = settle(Rule::adam_l2, l2_lr, l2, times, 2 * l2_norm_law, steps);
  near_one("Adam with the decay in the gradient, G = 1: $|w|^3$ over $lr sqrt(d) G / (2 wd)$",
           std::pow(coupled.norm, 3), std::pow(l2_norm_law, 3));
  const Settled sgd = settle(Rule::sgd, .1, .005, 1, 1.78, steps),
                sgd_times = settle(Rule::sgd, .1, .005, times, 1.78 * std::sqrt(times), steps);
  near_one("SGD, loss times 8: $|w|$ grows by $sqrt(8)$", sgd_times.norm / sgd.norm, std::sqrt(times));
  near_one("and a step turns w as far as before", sgd_times.angle / sgd.angle, 1);
  near_one("Adam with the decay in the gradient, loss times 8: $|w|$ grows by $8^(1/3) = 2$",
           coupled_times.norm / coupled.norm, 2);
  near_one("and a step turns w by half as much", coupled_times.angle / coupled.angle, .5);
  lab.same("A8.13", "AdamW, loss times 8: $|w|$ at every step is the same", below.history, adamw_times.history);

  lab.same("A8.13", "a network with batch norm, AdamW: losses of 100 steps, and with 8 times the loss",
           losses(Rule::adamw, 1), losses(Rule::adamw, times));
  const std::vector<double> once = losses(Rule::adam_l2, 1), more = losses(Rule::adam_l2, times);
  double apart = 0;
  for (size_t t = 0; t < once.size(); ++t) apart = std::max(apart, std::abs(more[t] - once[t]));
  lab.between("A8.13", "with the decay in the gradient they differ by at least 0.01", .01, INFINITY, {apart});

  const std::vector<double> index = grid(0, static_cast<double>(steps) - 1, 201);
  const auto at = [&](const Settled& s) {
    return curve(
        "", index, [&](double t) { return s.history[static_cast<size_t>(t)]; }, 0);
  };
  const auto named = [](Series s, const char* name, int color, int dashed = 0) {
    s.name = name, s.color = color, s.dashed = dashed;
    return s;
  };
  lab.figure({{.title = "Where the norm settles",
               .x_label = "step",
               .y_label = "|w|",
               .series = {named(at(below), "AdamW, from below", 2), named(at(above), "AdamW, from above", 3),
                          curve(
                              "predicted: sqrt(lr d / (2 wd))", index, [&](double) { return adamw_norm; }, 0, true)}},
              {.title = "Adam, and the scale of the loss",
               .x_label = "step",
               .y_label = "|w|",
               .series = {named(at(coupled), "in the gradient", 1),
                          named(at(coupled_times), "in the gradient, 8 x the loss", 4),
                          named(at(adamw_times), "AdamW, 8 x the loss", 2)}}},
             {.shows = fmt::format("The norm of a scale-invariant weight of {} numbers, as before a batch norm, "
                                   "against the step. Its gradients are random, orthogonal to it and of norm 1 / |w|. "
                                   "AdamW has lr {} and decay {}; Adam with the decay in the gradient {} and {}.",
                                   dimensions, p.lr, p.decay, l2_lr, l2),
              .predicted = "AdamW's norm does not depend on the size of gradients, and every step turns w by the same "
                           "angle. Adam with the decay in the gradient divides the decay by that size too, so a larger "
                           "loss means larger weights that turn more slowly.",
              .seen = fmt::format(
                  "With 8 times the loss the norm is {:.3f} times as large under AdamW, {:.3f} times with the "
                  "decay in the gradient; SGD: {:.3f}.",
                  adamw_times.norm / below.norm, coupled_times.norm / coupled.norm, sgd_times.norm / sgd.norm)});
}

}  // namespace

extern const Experiment decoupled{
    "decoupled",
    "Weight decay",
    "Does it matter whether the decay is in the gradient or beside it?",
    "Not for plain SGD. For Adam it does, because Adam divides a decay in the gradient by the gradient's size. With "
    "the "
    "decay beside the step, as in AdamW, every weight turns by the same angle.",
    "Before batch normalisation AdamW brings every weight to $|w| = sqrt(lr d / (2 wd))$ and turns it by $sqrt(2 lr wd "
    "(1 - beta_1) / (1 + beta_1))$ in a step, whatever the size of the gradients. With the decay in the gradient Adam "
    "brings it to $|w|^3 = lr sqrt(d) G / (2 wd)$, so that both depend on the loss's scale.",
    run,
    {"Double AdamW's decay: by how much more does a step turn the weight?", "decay=0.5",
     "AdamW: angle of a step, in radians", 0.0100, 0.0106,
     "By $sqrt(2)$: the angle is 0.0103 instead of 0.0073. Rate and decay have the same effect; the size of the "
     "gradient has none."}};

}  // namespace evenkeel::lab
