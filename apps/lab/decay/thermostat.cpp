// The equilibrium of decay and of gradients orthogonal to the weights: claims A8.6 to A8.8.
#include <tuple>

#include "apps/lab/lab.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double lr = 0.5;
  double decay = 0.005;
  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0.01, 0.5}, "learning rate");
    option("decay", o.decay, Range{0.001, 0.05}, "weight decay");
  }
};

// The norm under decay and gradients of norm G / |w|, G = 1, orthogonal to w.
struct Thermostat {
  Sample angle, fourth;         // of a step, and |w|^4, in the second half
  std::vector<double> history;  // |w|^4 over the predicted one, every step
};
double equilibrium(double lr, double decay, double momentum) {
  return momentum > 0 ? lr / (2 * decay * (1 - momentum)) : lr / (2 * decay - lr * decay * decay);
}
Thermostat thermostat(double lr, double decay, double start, double momentum, int64_t steps, Random& random) {
  const int64_t d = 2000;
  Tensor w = Tensor::normal({d}, random), v = zeros(d);
  w = w * (start / l2_norm(w));
  Thermostat t;
  for (int64_t i = 0; i < steps; ++i) {
    const double n = l2_norm(w);
    Tensor g = Tensor::normal({d}, random);
    g = g - w * (dot(g, w).item() / (n * n));
    v = v * momentum + g * (1 / (l2_norm(g) * n)) + w * decay;
    const Tensor next = w - v * lr;
    t.history.push_back(std::pow(n, 4) / equilibrium(lr, decay, momentum));
    if (i >= steps / 2) t.angle.add(angle(w, next)), t.fourth.add(std::pow(n, 4));
    w = next;
  }
  return t;
}

void run(Lab& lab, const Parameters& p) {
  Random random(3);
  Thermostat low, high;
  std::vector<std::tuple<double, double, double>> cases{
      {.1, 5e-4, 100.0025}, {.5, 5e-4, 500.0625}, {.1, 5e-3, 10.0025}, {.5, 5e-3, 50.0625}};
  if (!lab.standard()) cases = {{p.lr, p.decay, equilibrium(p.lr, p.decay, 0)}};
  for (const auto& [lr, decay, table] : cases) {
    if (lab.standard() && lab.quick() && decay < 1e-3) continue;
    const auto steps = static_cast<int64_t>(5 / (lr * decay));  // twenty time constants; the second half is averaged
    low = thermostat(lr, decay, 1, 0, steps, random), high = thermostat(lr, decay, 4, 0, steps, random);
    lab.equal("A8.6", fmt::format("$|w|^4 = lr G^2 / (2 wd - lr wd^2)$, lr {}, wd {}, from $|w| = 1$", lr, decay),
              table, low.fourth.mean(), 1e-3);
    lab.equal("A8.6", "from $|w| = 4$", table, high.fourth.mean(), 2e-3);
    lab.equal("A8.7", fmt::format("angle of a step over $sqrt(2 lr wd) = {:.4g}$", std::sqrt(2 * lr * decay)), 1,
              high.angle.mean() / std::sqrt(2 * lr * decay), 2e-3);
  }
  const double near = std::pow(1.05 * equilibrium(.1, 5e-3, 0), .25);  // 5 % above: a time constant later 5 % / e
  lab.between("A8.8", "distance left after $1 / (4 lr wd) = 500$ steps over $1/e$", .9, 1.1,
              {(thermostat(.1, 5e-3, near, 0, 501, random).history[500] - 1) / .05 * std::exp(1.)});
  const Thermostat moving = thermostat(.05, 1e-3, 3.9, .9, lab.quick_or_full(6000, 40000), random);
  lab.between("A8.7",
              "momentum 0.9, lr .05, wd .001: $|w|^4$ (predicted $250 = lr / (2 wd (1 - momentum))$, NumPy 249.4)",
              242.5, 257.5, {moving.fourth.mean()});
  lab.between("A8.7", "and the angle over $sqrt(2 lr wd / (1 + momentum)) = .007255$", .97, 1.03,
              {moving.angle.mean() / .007255});

  const double shown = std::min(1000., static_cast<double>(low.history.size() - 1));
  const std::vector<double> index = grid(0, shown, 201);
  const auto at = [](const std::vector<double>& all) {
    return [&all](double t) { return all[static_cast<size_t>(t)]; };
  };
  lab.figure({{.title = "The thermostat",
               .x_label = fmt::format("step (lr {}, weight decay {})", p.lr, p.decay),
               .y_label = "|w|^4 over its predicted equilibrium",
               .series = {curve(
                              "predicted", index, [](double) { return 1.0; }, 0, true),
                          curve("from |w| = 1", index, at(low.history), 1),
                          curve("from |w| = 4", index, at(high.history), 2)}}},
             {.shows = "The fourth power of a scale-invariant weight's norm (vertical, over its predicted equilibrium) "
                       "under weight decay "
                       "and random gradients orthogonal to it, against the step, from a small and a large start.",
              .predicted = "Gradients grow as the weight shrinks, and lengthen it: from above and below it goes to one "
                           "norm, not to zero, within a few times 1 / (4 lr wd) steps.",
              .seen = fmt::format("After {} steps they stand at {:.4f} and {:.4f} of it.", shown,
                                  at(low.history)(shown), at(high.history)(shown))});
}

}  // namespace

extern const Experiment thermostat_experiment{
    "thermostat",
    "Weight decay",
    "To which norm does weight decay bring a scale-invariant weight?",
    "From above and from below to one norm, set by learning rate and decay; it does not go to zero.",
    "To $|w|^4 = lr G^2 / (2 wd)$, from above and from below, with the time constant $1 / (4 lr wd)$; every step then "
    "turns the weight by $sqrt(2 lr wd)$.",
    run,
    {"Halve the rate and double the decay: which of norm, angle and time constant change?", "lr=0.25 decay=0.01",
     "|w|^4 =", 12.4, 12.7,
     "Only the norm: $|w|^4$ falls from 50 to 12.5. The angle $sqrt(2 lr wd)$ and the time constant $1/(4 lr wd)$ "
     "depend on "
     "the product alone."}};

}  // namespace evenkeel::lab
