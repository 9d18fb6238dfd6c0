// The experiment of Ioffe and Szegedy's section 4.1: three layers of a hundred sigmoids, batches of 60, with and
// without: claim A5.
#include "apps/lab/training.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  bool relu = false;
  double lr = 0.1;
  static void each(auto& o, auto&& option) {
    option("relu", o.relu, Words{"off", "on"}, "ReLUs instead of sigmoids");
    option("lr", o.lr, Range{0, 10}, "learning rate");
  }
};

Series follow(const Parameters& p, const std::string& norm, const DataSplit& data, uint64_t seed, int64_t steps) {
  const Normalization pixels = measure(data.train);
  const Batch test = first(data.test, pixels, 2000);
  const auto net = network("mlp:100-100-100", norm, p.relu ? "relu" : "sigmoid", seed, "gaussian:0.05");
  Batches batches(data.train, pixels, 60, seed);
  Series s{norm == "none" ? "measured, without" : "measured, with batch norm", {}, {}, norm == "none" ? 1 : 2};
  const int64_t every = steps / 30;
  for (int64_t t = 0; t <= steps; t += every) {
    if (t) train(*net, batches, {.lr = p.lr}, every);
    s.x.push_back(static_cast<double>(t));
    s.y.push_back(accuracy(*net, test));
  }
  return s;
}

// The first step at which a curve is at `level`; infinite where it never is.
double reaches(const Series& s, double level) {
  for (size_t i = 0; i < s.x.size(); ++i)
    if (s.y[i] >= level) return s.x[i];
  return INFINITY;
}

void run(Lab& lab, const Parameters& p) {
  const DataSplit* data = &lab.images();
  DataSplit digits;
  if (!lab.quick()) {
    try {
      digits = load_dataset("mnist", lab.data_dir());
      data = &digits;
    } catch (const Error& error) {
      if (error.fault != Fault::missing) throw;
      lab.say("MNIST was not found; these are the images of Fashion-MNIST.");
    }
  }
  const int64_t steps = lab.quick_or_full(1500, 6000);
  std::vector<double> with, without, overtaken;
  Series plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Series a = follow(p, "none", *data, seed, steps), b = follow(p, "batch", *data, seed, steps);
    if (seed == 1) plain = a, bn = b;
    with.push_back(b.y.back());
    without.push_back(a.y.back());
    overtaken.push_back(reaches(b, a.y.back()) / static_cast<double>(steps));
    if (seed == 1) {
      const double other = reaches(a, b.y.back());
      lab.say(fmt::format(
          "Seed 1: batch norm reaches the plain network's final accuracy, {:.1f} %, after {} of {} steps; the plain "
          "network {}.",
          100 * a.y.back(), reaches(b, a.y.back()), steps,
          std::isfinite(other) ? fmt::format("reaches batch norm's after {}", other)
                               : fmt::format("does not reach batch norm's {:.1f} % in them", 100 * b.y.back())));
    }
  }
  std::vector<double> gained;
  for (size_t i = 0; i < with.size(); ++i) gained.push_back(with[i] - without[i]);
  lab.between(
      "A5",
      fmt::format("accuracy after {} steps with batch norm: at least .78 (PyTorch, 1500 of Fashion-MNIST: .836)",
                  steps),
      .78, 1, with, true);
  lab.between("A5", "accuracy gained over the network without: at least half a point", .005, 1, gained, true);
  lab.between("A5", "share of the steps that batch norm needs to be where the other ends: at most 3/4", 0, .75,
              overtaken, true);
  lab.figure(
      {{.title = fmt::format("3 x 100 {}, batches of 60", p.relu ? "ReLU" : "sigmoid"),
        .x_label = fmt::format("step (lr {})", p.lr),
        .y_label = "accuracy on 2000 test images",
        .series = {plain, bn}}},
      {.shows =
           "Test accuracy (0 to 1) against the training step, with and without batch norm before every activation; "
           "initial "
           "weights are small random numbers, seed 1.",
       .predicted = "With batch norm the network learns from the first steps; without, it first stays on a plateau, "
                    "because saturated units pass on little gradient.",
       .seen = fmt::format("At the end {:.3f} with and {:.3f} without batch norm; with it the network passes the "
                           "second number after {:.0f} steps.",
                           bn.y.back(), plain.y.back(), reaches(bn, plain.y.back()))});
}

}  // namespace

extern const Experiment paper{
    "paper",
    "Gradient flow",
    "How many steps does batch normalisation save the original network?",
    "With batch norm the sigmoid network reaches the plain network's final accuracy in a fraction of the steps, and "
    "improves further.",
    "With batch norm the sigmoid network learns at once and stays ahead: it reaches the plain network's final accuracy "
    "in fewer steps, and the plain network does not reach that of "
    "batch norm.",
    run,
    {"Use ReLUs instead of sigmoids: how much of the difference remains?", "relu=on", "accuracy gained", -0.02, 0.05,
     "Nearly nothing: after the quick run's 1500 steps both are within a few points; with sigmoids it was 23 points. A "
     "ReLU does not saturate on its active side."}};

}  // namespace evenkeel::lab
