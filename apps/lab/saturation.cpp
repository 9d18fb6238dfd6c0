// Sigmoid and tanh far from zero, and how much gradient centring gives back: claims A3.1 to A3.5.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

double slope(double x) { return 1 / (2 + std::exp(x) + std::exp(-x)); }  // of the sigmoid
double tanh_slope(double x) { return 1 - std::tanh(x) * std::tanh(x); }

// f'(x) as the library differentiates it.
double derivative(Tensor (*f)(const Tensor&), double at) {
  Tensor x = Tensor::scalar(at).track();
  return grad(f(x), {x})[0].item();
}

// The mean gradient that a batch of N(mu, s) passes through f.
Sample batch_slope(Tensor (*f)(const Tensor&), double mu, double s, Random& random, int64_t draws, bool squared = false) {
  Tensor x = Tensor::normal({draws}, random, mu, s).track();
  const Tensor y = f(x);
  Sample sample;
  for (double v : grad(y, {x}, {.cotangent = Tensor::full(y.shape(), 1)})[0].values()) sample.add(squared ? v * v : v);
  return sample;
}

void run(Lab& lab) {
  Random random(1);
  const int64_t draws = lab.quick_or_full(100'000, 2'000'000);
  lab.equal("A3.1", "slope of the sigmoid at 0 over that at 4", 14.154, derivative(sigmoid, 0) / derivative(sigmoid, 4), 1e-4);
  const std::vector<double> table{.206621, .177943, .115758, .059822, .026298, .010505, .004000};
  for (int mu : {0, 2, 4, 6}) {
    lab.equal("A3.3", fmt::format("E sigmoid'(N({}, 1)), integral against the table", mu), table[static_cast<size_t>(mu)],
              gaussian_mean([=](double z) { return slope(mu + z); }), 1e-6);
    lab.expected("A3.3", fmt::format("E sigmoid'(N({}, 1)), {} draws", mu, draws), gaussian_mean([=](double z) { return slope(mu + z); }),
                 batch_slope(sigmoid, mu, 1, random, draws));
  }
  // The text: centring mean 4 gains "over an order of magnitude". In expectation it depends on the spread.
  const std::vector<double> spreads = grid(0.05, 2.5, 50);
  const auto gain = [](double s) { return gaussian_mean([=](double z) { return slope(s * z); }) / gaussian_mean([=](double z) { return slope(4 + s * z); }); };
  for (const auto& [s, ratio] : {std::pair{.1, 14.06}, {.25, 13.56}, {.5, 11.98}, {1., 7.857}, {2., 3.21}})
    lab.equal("A3.2", fmt::format("gain of E sigmoid' from N(4, s) to N(0, s), s = {}", s), ratio, gain(s), 1e-3);
  const double squared = gaussian_mean([](double z) { return slope(z) * slope(z); }) / gaussian_mean([](double z) { return slope(4 + z) * slope(4 + z); });
  lab.equal("A3.2", "gain of the squared gradient, s = 1", 31.9, squared, 1e-2);
  const double narrow = batch_slope(sigmoid, 0, .5, random, draws).mean() / batch_slope(sigmoid, 4, .5, random, draws).mean();
  const double wide = batch_slope(sigmoid, 0, 1, random, draws).mean() / batch_slope(sigmoid, 4, 1, random, draws).mean();
  lab.only_if("A3.2", "centring mean 4 gains over an order of magnitude", "the spread is at most about 0.7, or at the point", fmt::format("{:.2f}x at s = 0.5, {:.2f}x at s = 1", narrow, wide),
              narrow > 10, wide > 10);
  lab.equal("A3.4", "slope of tanh at 0 over that at 4", 745.74, derivative(tanh, 0) / derivative(tanh, 4), 1e-5);
  lab.equal("A3.4", "the same in expectation, spread 1", 69.0, gaussian_mean(tanh_slope) / gaussian_mean([](double z) { return tanh_slope(4 + z); }), 1e-3);
  lab.expected("A3.5", "E tanh'(gamma z) at gamma = 1", .605706, batch_slope(tanh, 0, 1, random, draws));
  lab.equal("A3.5", "at gamma = 0.1", .990, gaussian_mean([](double z) { return tanh_slope(.1 * z); }), 1e-3);
  lab.equal("A3.5", "over 28 time steps, gamma = 0.1: what is left of a gradient", .76, std::pow(gaussian_mean([](double z) { return tanh_slope(.1 * z); }), 28), 5e-3);
  lab.equal("A3.5", "over 28 time steps, gamma = 1", 8e-7, std::pow(.605706, 28), 1e-7);

  const std::vector<double> means = grid(0, 6, 25);
  Series seen{"measured", means, {}, 1};
  for (double mu : means) seen.y.push_back(batch_slope(sigmoid, mu, 1, random, draws / 10).mean());
  lab.figure({{.title = "Gradient through a sigmoid", .x_label = "mean of the pre-activation (standard deviation 1)", .y_label = "mean slope",
               .series = {curve("predicted: E sigmoid'(N(mu, 1))", means, [](double mu) { return gaussian_mean([=](double z) { return slope(mu + z); }); }, 0, true), seen,
                          curve("at the point mu", means, slope, 2, true)}},
              {.title = "What centring mean 4 gains", .x_label = "standard deviation of the pre-activation", .y_label = "ratio of mean slopes",
               .series = {curve("predicted: N(0, s) over N(4, s)", spreads, gain, 0, true), curve("an order of magnitude", spreads, [](double) { return 10.0; }, 7)}}},
             "Left: the mean slope of a sigmoid, which multiplies the gradient, against the mean of what enters it (no units). Right: by how much moving the mean from 4 to "
             "0 raises it. At a point it is 14-fold; averaged over a batch of standard deviation 1 it is 8-fold, because the tail that reaches back towards zero "
             "still carried gradient before.");
}

}  // namespace

extern const Experiment saturation{
    "saturation", "Gradient flow", "How much gradient does a drifted sigmoid lose, and centring give back?",
    "Pointwise 14.2-fold from 4 to 0; in expectation over N(4, 1) only 7.9-fold, above 10 for spreads up to about 0.7; squared gradients 32-fold. tanh: 746 and 69.",
    run, "Full normalisation also changes the spread to 1: plot E sigmoid'(N(0, 1)) / E sigmoid'(N(4, s)) instead."};

}  // namespace evenkeel::lab
