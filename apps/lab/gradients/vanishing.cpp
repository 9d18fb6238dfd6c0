// Where gradients vanish while a deep network trains: the gradient at every layer of sigmoid and tanh networks, from
// the start and after a drift into the flat region: claims A3.10 and A3.12.
#include "apps/lab/training.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "optim/l2_norm.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t width = 64, classes = 10;

struct Parameters {
  int64_t layers = 8;
  double drift = 4;
  double lr = 0.1;
  static void each(auto& o, auto&& option) {
    option("layers", o.layers, Range{2, 20}, "hidden layers");
    option("drift", o.drift, Range{0, 20}, "what the biases of the drifted networks begin with");
    option("lr", o.lr, Range{0, 10}, "learning rate");
  }
};

struct Unit {  // an activation function
  const char* name;
  double (*value)(double);
  double (*slope)(double);
  double steep;  // the slope is at least half of its maximum within so much of 0
};
const Unit units[] = {{"sigmoid", [](double z) { return 1 / (1 + std::exp(-z)); },
                       [](double z) { return 1 / (2 + std::exp(z) + std::exp(-z)); }, 2 * std::log(1 + std::sqrt(2))},
                      {"tanh", [](double z) { return std::tanh(z); },
                       [](double z) { return 1 - std::tanh(z) * std::tanh(z); }, std::log(1 + std::sqrt(2))}};

Sequential build(const Unit& unit, bool norm, double bias, int64_t layers, uint64_t seed) {
  Random random(seed);
  Sequential net;
  for (int64_t l = 0; l < layers; ++l) {
    auto dense = std::make_unique<Dense>(width, width, random, true, Init{Init::Kind::glorot});
    dense->bias.copy_from(Tensor::full({width}, bias));
    net.add(std::move(dense));
    if (norm) net.add(std::make_unique<BatchNorm>(width));
    if (&unit == units)
      net.add(std::make_unique<Sigmoid>());
    else
      net.add(std::make_unique<Tanh>());
  }
  net.add(std::make_unique<Dense>(width, classes, random, true, Init{Init::Kind::glorot}));
  return net;
}

// |dL/dz| of every layer over that of the last one, where z is the input of its units, in a wide network at its start
// with weights of variance 1 / width. Each layer multiplies the square by E f'(z)^2, and with batch norm also by 1 /
// Var f(z).
std::vector<double> law(const Unit& unit, bool norm, double bias, int64_t layers) {
  std::vector<double> factors;
  double variance = 1;
  const double centre = norm ? 0 : bias;
  for (int64_t l = 1; l < layers; ++l) {
    const double s = std::sqrt(variance);
    const double mean = gaussian_mean([&](double z) { return unit.value(centre + s * z); }),
                 square = gaussian_mean([&](double z) { return std::pow(unit.value(centre + s * z), 2); }),
                 slope = gaussian_mean([&](double z) { return std::pow(unit.slope(centre + s * z), 2); });
    factors.push_back(norm ? slope / (square - mean * mean) : slope);
    if (!norm) variance = square;
  }
  std::vector<double> shares{1};
  for (size_t l = factors.size(); l-- > 0;) shares.insert(shares.begin(), shares.front() * std::sqrt(factors[l]));
  return shares;
}

struct Look {
  std::vector<double> gradients;  // |dL/dz| of every layer over the last one's
  double steep = 0;               // share of all z where the slope is at least half of its maximum
};
Look look(Sequential& net, const Batch& batch, const Unit& unit) {
  std::vector<Tensor> entering;
  Tensor h = batch.x;
  for (size_t i = 0; i < net.size(); ++i) {
    if (dynamic_cast<Activation*>(&net[i])) entering.push_back(h);
    h = net[i].forward(h, Mode::probe);
  }
  Look found;
  double count = 0;
  for (const Tensor& g : grad(cross_entropy(h, batch.labels), entering)) found.gradients.push_back(l2_norm(g));
  const double last = found.gradients.back();
  for (double& g : found.gradients) g /= last;
  for (const Tensor& z : entering)
    for (double v : z.values()) found.steep += std::abs(v) <= unit.steep, ++count;
  found.steep /= count;
  return found;
}

struct Trace {
  Look start, end;
  double least = INFINITY, most = 0;  // the first layer's gradient over the last one's, at five looks
  double moved = 0;                   // |W - W0| / |W0| of the first layer at the end
  double accuracy = 0;
};
Trace follow(Lab& lab, const Parameters& p, const Unit& unit, bool norm, double bias, uint64_t seed) {
  Sequential net = build(unit, norm, bias, p.layers, seed);
  Points points(width, classes, 0.5, seed);
  const Batch watched = points.draw(256);
  const Tensor weight = parameters(net)[0].value, before = weight.clone();
  const int64_t part = lab.quick_or_full(40, 150);
  Trace t;
  for (int at = 0; at <= 4; ++at) {
    if (at)
      train(
          net, [&] { return points.draw(32); }, {.lr = p.lr}, part);
    t.end = look(net, watched, unit);
    if (!at) t.start = t.end;
    t.least = std::min(t.least, t.end.gradients.front()), t.most = std::max(t.most, t.end.gradients.front());
  }
  t.moved = l2_norm(weight.detach() - before) / l2_norm(before);
  t.accuracy = accuracy(net, points.draw(1000));
  return t;
}

void run(Lab& lab, const Parameters& p) {
  std::vector<Chart> charts;
  std::string seen;
  double tanh_most = 0, tanh_drifted_most = 0;
  for (const Unit& unit : units) {
    const struct {
      const char* name;
      bool norm;
      double bias;
    } cases[] = {{"without", false, 0}, {"drifted, without", false, p.drift}, {"with batch norm", true, 0}};
    Chart chart{.title = fmt::format("Gradients of {} units", unit.name),
                .x_label = "layer",
                .y_label = "gradient over the last layer's",
                .series = {},
                .log_y = true};
    const std::vector<double> layers = grid(1, static_cast<double>(p.layers), static_cast<int>(p.layers));
    for (size_t c = 0; c < 3; ++c) {
      const auto& [name, norm, bias] = cases[c];
      const std::vector<double> predicted = law(unit, norm, bias, p.layers);
      std::vector<double> over_law, least, most, moved, steep, right;
      for (uint64_t seed : lab.seeds()) {
        const Trace t = follow(lab, p, unit, norm, bias, seed);
        over_law.push_back(t.start.gradients.front() / predicted.front());
        least.push_back(t.least), most.push_back(t.most), moved.push_back(t.moved), right.push_back(t.accuracy);
        steep.push_back(t.end.steep);
        if (seed != 1) continue;
        chart.series.push_back({name, layers, t.end.gradients, static_cast<int>(c) + 1});
        seen += fmt::format("{}{} {}: {:.2g}", seen.empty() ? "" : "; ", unit.name, name, t.end.gradients.front());
        if (norm) {
          Sequential net = build(unit, true, p.drift, p.layers, seed);
          const Look drifted = look(net, Points(width, classes, 0.5, seed).draw(256), unit);
          lab.same("A3.10", fmt::format("{}, with batch norm: a drift of {} changes no gradient", unit.name, p.drift),
                   t.start.gradients, drifted.gradients, 1e-10);
        }
      }
      if (c != 1) {
        if (!norm) chart.series.push_back({"law, without", layers, predicted, 1, 1});
        lab.between("A3.10", fmt::format("{}, {}: layer 1's gradient at the start over its law", unit.name, name), .7,
                    1.4, over_law);
      }
      const std::string here = fmt::format("{}, {}: ", unit.name, name);
      if (norm) {
        lab.between("A3.10", here + "layer 1's gradient over the last one's, never below 0.2", .2, INFINITY, least);
        lab.between("A3.10", here + "layer 1's weights move by at least 5 % of their norm", .05, INFINITY, moved);
        lab.between("A5.1", here + "it learns, accuracy at least 0.5 (a guess: 0.1)", .5, 1, right);
        lab.between("A3.12",
                    here + "per cent of inputs with more than half of the largest slope at the end, at least 40", 40,
                    100, {100 * mean_of(steep)});
      } else if (&unit == units || bias != 0) {
        lab.between("A3.10", here + "layer 1's gradient over the last one's, never above 0.01", 0, .01, most);
        lab.between("A3.10", here + "layer 1's weights move by at most 1 % of their norm", 0, .01, moved);
      } else {
        tanh_most = *std::max_element(most.begin(), most.end());
      }
      if (bias != 0) {
        lab.between("A3.12", here + "per cent of inputs with more than half of the largest slope at the end, at most 5",
                    0, 5, {100 * mean_of(steep)});
        tanh_drifted_most = *std::max_element(most.begin(), most.end());
      }
    }
    charts.push_back(chart);
  }
  lab.only_if("A3.10", "in a deep tanh network gradients vanish", "its units have drifted into the flat region",
              fmt::format("layer 1 has at most {:.2g} of the last one's after a drift of {}, {:.2g} without",
                          tanh_drifted_most, p.drift, tanh_most),
              tanh_drifted_most < .01, tanh_most < .01);
  const double steep = 100 * (2 * Phi(units[0].steep) - 1);
  lab.observed(
      "A3.12", "of N(0, 1), which batch norm begins with: per cent with more than half of the sigmoid's largest slope",
      fmt::format("{:.1f}; of N(4, 1) {:.1f}", steep, 100 * (Phi(units[0].steep - 4) - Phi(-units[0].steep - 4))),
      {steep});
  lab.figure(charts,
             {.shows = fmt::format("A network of {} layers of {} units trains on drawn points of ten classes (lr {}, "
                                   "batches of 32, seed 1). Against the layer, on a logarithmic axis: the norm of the "
                                   "gradient with respect to the inputs of its units at the end of training, over the "
                                   "last layer's. Dashed: the law for a wide network at its start.",
                                   p.layers, width, p.lr),
              .predicted = "A sigmoid passes on at most a quarter, so hardly any gradient reaches the first layers. A "
                           "tanh at 0 passes on nearly all; after a drift of 4, almost nothing. With batch norm every "
                           "layer gets some, with or without drift.",
              .seen = "Layer 1 over the last one at the end. " + seen + "."});
}

}  // namespace

extern const Experiment vanishing{
    "vanishing",
    "Gradient flow",
    "Which layers of a training network get no gradient?",
    "The first ones of a sigmoid network, and of a tanh network whose units have drifted from 0; with batch "
    "normalisation every layer gets some.",
    "Without, the first of eight sigmoid layers has less than a hundredth of the last one's gradient, and does not "
    "learn; the same is true of tanh, but only after a drift of its units. With batch normalisation a layer multiplies "
    "the square by $(E f'(z)^2) / (Var f(z))$, which is near 1 for any drift.",
    run,
    {"Take three layers instead of eight: does the gradient of the sigmoid network still vanish?", "layers=3",
     "sigmoid, without: layer 1's gradient over the last one's", 0.02, 0.2,
     "Hardly: a twentieth is left. Every layer takes about three quarters away, whatever the depth: after seven of "
     "them "
     "there is 0.00003, after two 0.05."}};

}  // namespace evenkeel::lab
