// Standardising the inputs wears off with depth, and batch normalisation renews it at every layer: claims A2.1 to A2.3.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t inputs = 256, width = 1024;
constexpr size_t depth = 20;

struct Parameters {
  double mean = 0;
  static void each(auto& o, auto&& option) {
    option("mean", o.mean, Range{-10, 10}, "mean of the inputs, whose deviation is 1");
  }
};

// The share of a unit's mean square that is the same for all inputs: the mean product of two inputs over the mean
// square.
double constant_share(const Tensor& z) {
  const double m = static_cast<double>(z.rows()), squares = sum(square(z)).item(),
               pairs = sum(square(sum_rows(z))).item() - squares;
  return pairs / (m * (m - 1)) / (squares / m);
}

double next_share(double c) { return (std::sqrt(1 - c * c) + c * (M_PI - std::acos(c))) / M_PI; }

// The share in what enters every layer of one random network with He's initial weights on inputs of this mean and
// deviation 1.
std::vector<double> shares(bool norm, double mean, Random& random) {
  Tensor z = Tensor::normal({inputs, width}, random, mean);
  std::vector<double> all{constant_share(z)};
  for (size_t l = 1; l <= depth; ++l) {
    const Tensor h = relu(z);
    z = matmul(h, Tensor::normal({width, width}, random, 0, std::sqrt(2.0 / width)));
    if (norm) z = standardise(z).y;
    all.push_back(constant_share(norm ? z : h));
  }
  return all;
}

void one_unit(Lab& lab, Random& random) {
  Sample h, h2;
  for (int64_t i = 0; i < lab.quick_or_full(200'000, 2'000'000); ++i) {
    const double v = std::max(0.0, random.normal());
    h.add(v);
    h2.add(v * v);
  }
  lab.expected("A2.1", "$E relu(z)$, $z ~ N(0, 1)$: $1 / sqrt(2 pi)$", 1 / std::sqrt(2 * M_PI), h);
  lab.expected("A2.1", "$E relu(z)^2$", 0.5, h2);
  lab.equal("A2.1", "$Var relu(z) = 1/2 - 1/(2 pi)$, against the table", .340845, .5 - 1 / (2 * M_PI), 1e-6);
  const Tensor x = Tensor::normal({50, 4}, random, 1, 2), w = Tensor::normal({3, 4}, random),
               b = Tensor::normal({3}, random);
  const Tensor z = add_per_channel(matmul(x, w, false, true), b);
  const auto covariance = [](const Tensor& t) {
    const Tensor centred = add_per_channel(t, -mean_rows(t));
    return matmul(centred, centred, true) / static_cast<double>(t.rows());
  };
  lab.same("A2.2", "mean of W x + b is W mean(x) + b", reshape(matmul(w, reshape(mean_rows(x), {4, 1})), {3}) + b,
           mean_rows(z));
  lab.same("A2.2", "its covariance is W cov(x) W'", matmul(matmul(w, covariance(x)), w, false, true), covariance(z));
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  one_unit(lab, random);
  // The curve 0, 1/pi, ... -> 1 of an infinitely wide network.
  std::vector<double> predicted{p.mean * p.mean / (p.mean * p.mean + 1)};
  while (predicted.size() <= depth) predicted.push_back(next_share(predicted.back()));
  const std::vector<double> table{0, .3183, .4937, .6048, .6810, .7359, .7772, .8091, .8344, .8548, .8715};
  if (lab.standard()) {
    lab.same("A2.3", "layers 0 to 10: the recursion against the table 0, $1/pi$, .494 ... .8715", table,
             {predicted.begin(), predicted.begin() + 11}, 5e-5);
    lab.equal("A2.3", "layer 20", .9484, predicted[20], 5e-5);
  }
  std::vector<Sample> plain(depth + 1);
  for (int n = 0; n < lab.quick_or_full(4, 8); ++n) {
    const std::vector<double> one = shares(false, p.mean, random);
    for (size_t l = 0; l <= depth; ++l) plain[l].add(one[l]);
  }
  const std::vector<double> normalised = shares(true, p.mean, random);
  for (size_t l : {1ul, 2ul, 5ul, 10ul, 20ul})
    lab.between("A2.3", fmt::format("layer {}: measured over predicted, width {}", l, width), .98, 1.02,
                {plain[l].mean() / predicted[l]});
  lab.observed("A2.3", "share that is the same for all inputs, layers 1 and 20",
               fmt::format("{:.3f}, {:.3f} (recursion)", predicted[1], predicted[20]),
               {plain[1].mean(), plain[20].mean()});

  const std::vector<double> layers = grid(0, depth, depth + 1);
  Series seen{"measured, without", layers, {}, 1}, reset{"measured, batch norm at every layer", layers, normalised, 2};
  for (const Sample& s : plain) seen.y.push_back(s.mean());
  lab.figure(
      {{.title = "How much of a unit is the same for every input",
        .x_label = "layer",
        .y_label = "share of the mean square",
        .series = {{"predicted, infinitely wide", layers, predicted, 0, true}, seen, reset}}},
      {.shows = fmt::format(
           "Inputs of mean {} and deviation 1 enter a ReLU network of width {} with random weights. Against the "
           "layer: the square of a unit's mean over "
           "the inputs, as a share of its mean square. It is also the cosine similarity of two different inputs.",
           p.mean, width),
       .predicted = fmt::format("Without normalisation {:.3f}, {:.3f}, {:.3f} and so on towards 1; with it every layer "
                                "starts at zero again.",
                                predicted[0], predicted[1], predicted[2]),
       .seen = fmt::format("After five layers {:.0f} % of the mean square is the same for all inputs, after twenty "
                           "{:.0f} %; after twenty with batch normalisation {:.1f} %.",
                           100 * seen.y[5], 100 * seen.y[20], 100 * normalised[20])});
}

}  // namespace

extern const Experiment dilution{
    "dilution",
    "Internal covariate shift",
    "For how many layers do standardised inputs stay standardised?",
    "For few: after five ReLU layers three quarters of a unit's mean square is the same for all inputs; with batch "
    "norm at every layer, nothing is.",
    "Behind a ReLU the mean is 0.399, not 0. In a wide network with He's weights the share of constant mean grows 0, "
    "$1 / pi$, .494, .605, ... -> 1; with batch normalisation it is $-1 / (m - 1)$ at every layer.",
    run,
    {"Let the inputs have mean 1: what does standardising them gain at layer 1, and at layer 20?", "mean=1",
     "share that is the same", 0.58, 0.965,
     "At layer 1 the share is 0.61 instead of 0.32. At layer 20 it is 0.955 instead of 0.948: there it hardly matters "
     "whether the inputs were standardised."}};

}  // namespace evenkeel::lab
