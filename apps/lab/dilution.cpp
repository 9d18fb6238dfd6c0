// Standardising the inputs wears off with depth, and batch normalisation renews it at every layer: claims A2.1 to A2.4.
#include "apps/lab/lab.h"
#include "core/matmul.h"
#include "core/normalize.h"
#include "core/reduce.h"
#include "layers/batch_norm.h"
#include "layers/dense.h"
#include "optim/sgd.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t inputs = 256;
constexpr int depth = 20;

// The share of the units' second moment that is the same for all inputs: the mean product of two inputs over the mean square.
double constant_share(const Tensor& z) {
  const double m = static_cast<double>(z.rows()), squares = sum(square(z)).item(), pairs = sum(square(sum_rows(z))).item() - squares;
  return pairs / (m * (m - 1)) / (squares / m);
}

double next_share(double c) { return (std::sqrt(1 - c * c) + c * (M_PI - std::acos(c))) / M_PI; }

// The share in what enters every layer of one random network with He's initial weights on standardised inputs.
std::vector<double> shares(int64_t width, bool norm, Random& random) {
  Tensor z = Tensor::normal({inputs, width}, random);
  std::vector<double> all{constant_share(z)};
  for (int l = 1; l <= depth; ++l) {
    const Tensor h = relu(z);
    z = matmul(h, Tensor::normal({width, width}, random, 0, std::sqrt(2.0 / static_cast<double>(width))));
    if (norm) z = batch_norm(z, Tensor::full({width}, 1), Tensor::zeros({width})).y;
    all.push_back(constant_share(norm ? z : h));
  }
  return all;
}

void run(Lab& lab) {
  Random random(1);
  const int64_t draws = lab.quick_or_full(200'000, 2'000'000);
  Sample h, h2;
  for (int64_t i = 0; i < draws; ++i) {
    const double v = std::max(0.0, random.normal());
    h.add(v);
    h2.add(v * v);
  }
  lab.expected("A2.1", "E relu(z), z ~ N(0, 1): 1 / sqrt(2 pi)", 1 / std::sqrt(2 * M_PI), h);
  lab.expected("A2.1", "E relu(z)^2", 0.5, h2);
  lab.equal("A2.1", "Var relu(z) = 1/2 - 1/(2 pi) by integration", .340845, gaussian_mean([](double z) { return z > 0 ? z * z : 0; }) - 1 / (2 * M_PI), 1e-5);

  const Tensor x = Tensor::normal({50, 4}, random, 1, 2), w = Tensor::normal({3, 4}, random), b = Tensor::normal({3}, random), z = add_per_channel(matmul(x, w, false, true), b);
  const auto covariance = [](const Tensor& t) {
    const Tensor centred = add_per_channel(t, -mean_rows(t));
    return matmul(centred, centred, true) / static_cast<double>(t.rows());
  };
  lab.same("A2.2", "mean of W x + b is W mean(x) + b", reshape(matmul(w, reshape(mean_rows(x), {4, 1})), {3}) + b, mean_rows(z));
  lab.same("A2.2", "its covariance is W cov(x) W'", matmul(matmul(w, covariance(x)), w, false, true), covariance(z));

  // The curve 0, 1/pi, ... -> 1 of an infinitely wide network.
  std::vector<double> predicted{0};
  for (int l = 0; l < depth; ++l) predicted.push_back(next_share(predicted.back()));
  for (const auto& [layer, value] : {std::pair{1, .3183}, {2, .4937}, {5, .7359}, {10, .8715}, {20, .9484}}) {
    lab.equal("A2.3", fmt::format("layer {}: the recursion against the table", layer), value, predicted[static_cast<size_t>(layer)], 1e-4);
  }
  const int nets = lab.quick_or_full(4, 16);
  constexpr int64_t width = 1024;
  std::vector<Sample> plain(depth + 1);
  for (int n = 0; n < nets; ++n) {
    const std::vector<double> one = shares(width, false, random);
    for (size_t l = 0; l <= depth; ++l) plain[l].add(one[l]);
  }
  const std::vector<double> normalised = shares(width, true, random);
  for (size_t l : {1ul, 2ul, 5ul, 10ul, 20ul})
    lab.between("A2.3", fmt::format("layer {}: measured over predicted, width {}", l, width), .98, 1.02, {plain[l].mean() / predicted[l]});

  // With batch norm every layer starts anew: the mean product of two examples of a batch is exactly -sigma^2 / (sigma^2 + eps) / (m - 1).
  const Tensor deep = Tensor::normal({inputs, 8}, random, 5, 3);
  const Normalized n = batch_norm(deep, Tensor::full({8}, 1), Tensor::zeros({8}));
  const Tensor kept = n.var / (n.var + 1e-5);
  const Tensor products = (square(sum_rows(n.y)) - sum_rows(square(n.y))) / static_cast<double>(inputs * (inputs - 1));
  lab.same("A2.3", "mean product of two xhat of a batch, each channel: -sigma^2 / (sigma^2 + eps) / (m-1)", kept / -static_cast<double>(inputs - 1), products, 1e-13);

  // At every layer, for every batch, whatever the weights have become.
  Dense first(6, 8, random), second(8, 8, random);
  BatchNorm norms[] = {BatchNorm(8, {.affine = false}), BatchNorm(8, {.affine = false})};
  std::vector<Parameter> all = parameters(first);
  for (const Parameter& p : parameters(second)) all.push_back({"second." + p.name, p.value, p.decay});
  Sgd sgd(all, {.lr = 0.5});
  double worst_mean = 0, worst_var = 0;
  for (int t = 0; t < 100; ++t) {
    const Tensor data = Tensor::normal({32, 6}, random, 1, 2);
    const auto observed = [&](BatchNorm& norm, const Tensor& in) {
      const Normalized s = batch_norm(in.detach(), norm.gamma, norm.beta);
      const Tensor y = norm.forward(in, Mode::train), m = mean_rows(y.detach()), v = mean_rows(square(y.detach()));
      for (int64_t c = 0; c < 8; ++c) {
        worst_mean = std::max(worst_mean, std::abs(m.data()[c]));
        worst_var = std::max(worst_var, std::abs(v.data()[c] - s.var.data()[c] / (s.var.data()[c] + 1e-5)));
      }
      return y;
    };
    const Tensor y = observed(norms[1], second.forward(relu(observed(norms[0], first.forward(data, Mode::train))), Mode::train));
    sgd.step(grad(mean(square(y - tanh(Tensor::normal(y.shape(), random)) * 3)), values(all)));
  }
  lab.equal("A2.4", "two layers, 100 steps of training: largest mean behind step 2", 0, worst_mean, 1e-13);
  lab.equal("A2.4", "largest distance of the variance from sigma^2 / (sigma^2 + eps)", 0, worst_var, 1e-13);

  const std::vector<double> layers = grid(0, depth, depth + 1);
  Series seen{"measured, without", layers, {}, 1}, reset{"measured, batch norm at every layer", layers, {}, 2};
  for (size_t l = 0; l <= depth; ++l) seen.y.push_back(plain[l].mean()), reset.y.push_back(normalised[l]);
  lab.figure({{.title = "How much of a unit is the same for every input", .x_label = "layer", .y_label = "share of the second moment",
               .series = {{"predicted, infinitely wide", layers, predicted, 0, true}, seen, reset}}},
             fmt::format("Standardised inputs enter a ReLU network of width {} with random weights. Against the layer: the share of a unit's mean square that is its mean over inputs, which is also how alike two different inputs have "
                         "become (0: not at all, 1: the same). Without normalisation three quarters are lost after five layers, as predicted; with it every layer starts at zero again.", width));
}

}  // namespace

extern const Experiment dilution{
    "dilution", "Internal covariate shift", "How far into a network does standardising its inputs reach?",
    "Behind a ReLU the mean is 0.399, not 0. In a wide network with He's weights the share of constant mean grows 0, 1/pi, .494, .605, ... -> 1; with batch normalisation it is -1/(m-1) at every layer.",
    run, "Replace relu by tanh in shares(): an odd function keeps means at zero. Why does depth still need care?"};

}  // namespace evenkeel::lab
