// The effect of standardised inputs, of other inputs with batch normalisation, and how much of the standardising
// remains in later layers of a training network: claims A2.3 and A2.9.
#include "apps/lab/training.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "optim/curvature/eigenvalue.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t width = 32, classes = 10;
constexpr size_t depth = 5;

struct Parameters {
  double mean = 3;
  double unlike = 1;
  static void each(auto& o, auto&& option) {
    option("mean", o.mean, Range{0, 100}, "mean of the shifted inputs");
    option("unlike", o.unlike, Range{0, 3}, "deviations of the stretched inputs lie between 10^-this and 10^this");
  }
};

enum class Inputs { standard, shifted, stretched };

Sequential build(bool norm, uint64_t seed) {
  Random random(seed);
  Sequential net;
  for (size_t l = 0; l < depth; ++l) {
    net.add(std::make_unique<Dense>(width, width, random));
    if (norm) net.add(std::make_unique<BatchNorm>(width));
    net.add(std::make_unique<Relu>());
  }
  net.add(std::make_unique<Dense>(width, classes, random));
  return net;
}

// Standardised points, or the same shifted or stretched.
Batch changed(const Parameters& p, Inputs inputs, Batch b) {
  if (inputs == Inputs::shifted) b.x = b.x + p.mean;
  if (inputs == Inputs::stretched) {
    Tensor s = Tensor::empty({width});
    for (int64_t k = 0; k < width; ++k)
      s.mutable_data()[k] = std::pow(10, p.unlike * (2 * static_cast<double>(k) / static_cast<double>(width - 1) - 1));
    b.x = scale_per_channel(b.x, s);
  }
  return b;
}

// The share of each activation's input that is the same for all examples: the mean square of the means over the mean
// square.
std::vector<double> constant_shares(Sequential& net, const Tensor& x) {
  std::vector<double> shares;
  Tensor h = x;
  for (size_t i = 0; i < net.size(); ++i) {
    if (dynamic_cast<Relu*>(&net[i])) shares.push_back(mean(square(mean_rows(h))).item() / mean(square(h)).item());
    h = net[i].forward(h, Mode::probe);
  }
  return shares;
}

struct Run {
  double accuracy = 0;
  std::vector<double> losses, start, end;  // shares
};
Run follow(Lab& lab, const Parameters& p, Inputs inputs, bool norm, double lr, uint64_t seed) {
  Sequential net = build(norm, seed);
  Points points(width, classes, 0.3, seed);
  const Batch test = changed(p, inputs, points.draw(1000));
  Run run;
  run.start = constant_shares(net, test.x);
  train(
      net, [&] { return changed(p, inputs, points.draw(64)); }, {.lr = lr}, lab.quick_or_full(100, 200),
      [&](const Step& step) { run.losses.push_back(step.loss); });
  run.accuracy = accuracy(net, test, Mode::probe);
  run.end = constant_shares(net, test.x);
  return run;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Tensor x = Tensor::normal({lab.quick_or_full(4000, 20000), width}, random, p.mean);
  const double law = 1 + width * p.mean * p.mean;
  Tensor w = Tensor::normal({width, 1}, random).track();
  const double sharp =
      largest_eigenvalue([&] { return mean(square(matmul(x, w))) * 0.5; }, {w}, random, {.tolerance = 1e-8}).value;
  lab.between("A2.9",
              fmt::format("curvature of a linear layer on {} inputs of mean {}, over $1 + d mean^2$", width, p.mean),
              .97, 1.03, {sharp / law});

  const std::vector<double> rates =
      lab.quick() ? std::vector<double>{.003, .1} : std::vector<double>{.001, .003, .01, .03, .1, .3};
  std::vector<double> worth_shifted, worth_stretched, shifted_gap, stretched_gap, plain_share, bn_share, first_share;
  std::vector<Series> by_rate, by_layer;
  double apart = 0;
  std::string seen;
  for (uint64_t seed : lab.seeds()) {
    double best[3][2] = {};
    std::vector<double> standard_losses;
    for (int norm : {0, 1})
      for (Inputs inputs : {Inputs::standard, Inputs::shifted, Inputs::stretched}) {
        const auto k = static_cast<size_t>(inputs);
        constexpr const char* names[] = {"standardised", "shifted", "stretched"};
        Series s{fmt::format("{}, {}", names[k], norm ? "with batch norm" : "without"),
                 rates,
                 {},
                 static_cast<int>(k) + 1,
                 norm ? 0 : 1};
        for (double lr : rates) {
          const Run r = follow(lab, p, inputs, norm, lr, seed);
          s.y.push_back(r.accuracy);
          best[k][norm] = std::max(best[k][norm], r.accuracy);
          if (lr != .1) continue;
          if (norm && inputs == Inputs::shifted)
            for (size_t t = 0; t < 50; ++t) apart = std::max(apart, std::abs(r.losses[t] - standard_losses[t]));
          if (inputs != Inputs::standard) continue;
          standard_losses = r.losses;
          (norm ? bn_share : plain_share).push_back(r.end.back());
          if (!norm) first_share.push_back(r.start.front());
          if (seed != 1) continue;
          const std::vector<double> layers = grid(1, depth, depth);
          if (!norm) by_layer.push_back({"without, at first", layers, r.start, 1, 1});
          by_layer.push_back({norm ? "with batch norm" : "without", layers, r.end, norm + 1});
        }
        if (seed == 1) by_rate.push_back(s);
      }
    worth_shifted.push_back(100 * (best[0][0] - best[1][0]));
    worth_stretched.push_back(100 * (best[0][0] - best[2][0]));
    shifted_gap.push_back(100 * (best[0][1] - best[1][1]));
    stretched_gap.push_back(100 * (best[0][1] - best[2][1]));
    if (seed == 1)
      seen = fmt::format(
          "At its best rate the network without is at {:.2f} on standardised inputs, {:.2f} on shifted "
          "and {:.2f} on stretched ones; with batch norm {:.2f}, {:.2f} and {:.2f}.",
          best[0][0], best[1][0], best[2][0], best[0][1], best[1][1], best[2][1]);
  }
  lab.between("A2.9", "without, best of the rates: standardised inputs are ahead of shifted ones by at least 5 points",
              5, 100, worth_shifted);
  lab.between("A2.9", "and of stretched ones by at least 5", 5, 100, worth_stretched);
  lab.equal("A2.9",
            "with batch norm: losses of 50 steps on shifted inputs and on standardised ones, largest difference", 0,
            apart, 1e-8);
  lab.only_if("A2.9", "batch norm in the network makes up for inputs that are not standardised",
              "their means are off, and not their scales",
              fmt::format("{:.2g} points behind on shifted inputs, {:.2g} on stretched ones", mean_of(shifted_gap),
                          mean_of(stretched_gap)),
              std::abs(mean_of(shifted_gap)) < 1, mean_of(stretched_gap) < 1);
  lab.between("A2.3", "standardised inputs, layer 1 at the start: share that is the same for all inputs, at most 0.1",
              0, .1, first_share);
  lab.between("A2.3", "layer 5 at the end of training, without: at least 0.3", .3, 1, plain_share);
  lab.between("A2.3", "layer 5 at the end of training, with batch norm: at most 0.3", 0, .3, bn_share);
  lab.figure(
      {{.title = "What standardised inputs are worth",
        .x_label = fmt::format("learning rate ({} steps)", lab.quick_or_full(100, 200)),
        .y_label = "test accuracy",
        .series = by_rate,
        .log_x = true},
       {.title = "Standardised inputs, layer by layer",
        .x_label = "layer",
        .y_label = "share that is the same for all inputs",
        .series = by_layer}},
      {.shows = fmt::format(
           "Networks of {} layers of {} ReLUs on drawn points of ten classes, seed 1. Left: accuracy (0 to 1) after "
           "training against the learning rate; the inputs are standardised, or all have mean {}, or have deviations "
           "from {:.2g} to {:.2g}. Right: of what enters a layer's ReLUs, the square of the mean as a share of the "
           "mean square, for standardised inputs at the rate 0.1, at the end of training and at first.",
           depth, width, p.mean, std::pow(10, -p.unlike), std::pow(10, p.unlike)),
       .predicted = fmt::format("A common mean makes one direction $1 + {} mean^2$ = {:.0f} times steeper, so only "
                                "small rates can be used. The first batch norm removes it. Unequal scales stay.",
                                width, law),
       .seen = seen});
}

}  // namespace

extern const Experiment inputs{
    "inputs",
    "Internal covariate shift",
    "How much do standardised inputs help?",
    "A plain network very much. Batch normalisation corrects a wrong mean exactly, but not unequal scales.",
    "Without batch normalisation a network learns less, at any learning rate, from inputs that have a common mean or "
    "unequal scales. With it the common mean makes no difference at all. At layer 5 of the plain network little of the "
    "standardising remains, during training as at the start.",
    run,
    {"Let the inputs have mean 1: how much does standardising them help now?", "mean=1", "without, best of the rates",
     -5, 5,
     "Hardly at all: there is a learning rate that works. A common mean of 1 makes one direction $1 + 32 mean^2 = 33$ "
     "times "
     "steeper, a mean of 3 makes it 289 times steeper."}};

}  // namespace evenkeel::lab
