// The largest learning rate that still trains, without and with batch normalisation: claim A5.
#include <map>

#include "apps/lab/training.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  bool sigmoid = false;
  static void each(auto& o, auto&& option) {
    option("sigmoid", o.sigmoid, Words{"off", "on"}, "sigmoids instead of ReLUs");
  }
};

// Test accuracy, one number a seed.
std::vector<double> trained(Lab& lab, bool sigmoid, const std::string& norm, double lr, const Batch& test,
                            const Normalization& pixels) {
  std::vector<double> all;
  for (uint64_t seed : lab.seeds()) {
    const auto net = small_network("mlp:100-100-100", norm, sigmoid ? "sigmoid" : "relu", seed);
    Batches batches(lab.images().train, pixels, 64, seed);
    train(*net, batches, {.lr = lr}, lab.quick_or_full(300, 1500));
    all.push_back(accuracy(*net, test));
  }
  return all;
}

void run(Lab& lab, const Parameters& p) {
  const Normalization pixels = measure(lab.images().train);
  const Batch test = first(lab.images().test, pixels, 2000);
  // Percent after 1500 steps, found in PyTorch with one seed; bands are 6 points to either side. A network that
  // collapsed guesses: 10 %.
  const std::map<double, std::pair<double, double>> pytorch{
      {.01, {71.5, 85.1}}, {.03, {79.8, 85.2}}, {.1, {84.0, 85.4}}, {.3, {84.0, 85.1}},
      {1, {10, 85.0}},     {3, {10, 84.3}},     {10, {10, 10}}};
  Series series[] = {{"measured, without", {}, {}, 1}, {"measured, with batch norm", {}, {}, 2}};
  double largest[] = {0, 0}, lowest = 1, highest = 0;  // rate that trains; batch norm's accuracy from 0.01 to 1
  for (const auto& [lr, percent] : pytorch) {
    if (lab.quick() && lr != .1 && lr != 1 && lr != 3) continue;
    for (int with = 0; with < 2; ++with) {
      const std::vector<double> all = trained(lab, p.sigmoid, with ? "batch" : "none", lr, test, pixels);
      series[with].x.push_back(lr);
      series[with].y.push_back(all.front());
      const double there = (with ? percent.second : percent.first) / 100;
      const std::string statement =
          fmt::format("lr {}, {}: accuracy (PyTorch {:.3g})", lr, with ? "with batch norm" : "without", there);
      const bool learns = there > .5;
      if (mean_of(all) > .5) largest[with] = lr;
      if (!learns)
        lab.between("A5", statement + ": it fails", 0, .3, all, true);
      else if (lab.quick())
        lab.between("A5", statement + ", 300 steps", .6, .92, all, true);
      else if (lr == .01 && !with)
        lab.not_found_again("A5", statement, there - .06, there + .06, all,
                            "At the rate 0.01 the plain network learns faster here than it did in PyTorch with one "
                            "seed; it is still slower than with batch norm.");
      else
        lab.between("A5", statement, there - .06, there + .06, all, true);
      if (with && lr <= 1) lowest = std::min(lowest, mean_of(all)), highest = std::max(highest, mean_of(all));
    }
  }
  lab.between("A5",
              lab.quick()
                  ? "of the rates 0.1, 1 and 3 batch norm bears all, the plain network 0.1: the ratio of the largest"
                  : "the largest rate that trains is ten times the plain network's",
              lab.quick_or_full(29.9, 9.9), lab.quick_or_full(30.1, 10.1), {largest[1] / largest[0]}, true);
  if (!lab.quick())
    lab.between("A5", "batch norm: at most two points between the best and the worst rate from 0.01 to 1", 0, 2,
                {100 * (highest - lowest)}, true);
  lab.figure(
      {{.title = "Accuracy against the learning rate",
        .x_label = "learning rate",
        .y_label = "test accuracy",
        .series = {series[0], series[1]},
        .log_x = true}},
      {.shows = fmt::format(
           "Accuracy (0 to 1) on 2000 test images of Fashion-MNIST after {} steps with batches of 64, against the "
           "learning rate on a logarithmic axis; 784-100-100-100-10 with {}, seed 1.",
           lab.quick_or_full(300, 1500), p.sigmoid ? "sigmoids" : "ReLU"),
       .predicted =
           "Batch norm trains with ten times larger rates, and hardly cares which: within two points from 0.01 "
           "to 1. The "
           "plain network fails from 1 on.",
       .seen = fmt::format("At rate 1 the plain network is at {:.2f}, batch norm at {:.2f}.",
                           series[0].y[lab.quick_or_full(1, 4)], series[1].y[lab.quick_or_full(1, 4)])});
}

}  // namespace

extern const Experiment rates{
    "rates",
    "Smoothing the landscape",
    "How large a learning rate can be used?",
    "Ten times as large as without, and from 0.01 to 1 it hardly matters which.",
    "Ten times as large: the plain network fails at 1, batch normalisation only at 10, and "
    "from 0.01 to 1 its accuracy is nearly the same.",
    run,
    {"Use sigmoids instead of ReLUs: does the plain network learn at the rate 0.1 at all?", "sigmoid=on",
     "lr 0.1, without", 0, 0.2,
     "No: it still guesses after 300 steps, at every rate, because its sigmoids pass on hardly any gradient. The "
     "largest rate is one question; whether a network trains at all is another."}};

}  // namespace evenkeel::lab
