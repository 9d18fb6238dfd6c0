// Sigmoid and tanh far from zero, and the gradient gained by centring: claims A3.1 to A3.5.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double mean = 4;
  static void each(auto& o, auto&& option) {
    option("mean", o.mean, Range{0, 20}, "the mean to which the unit has drifted");
  }
};

double slope(double x) { return 1 / (2 + std::exp(x) + std::exp(-x)); }  // of the sigmoid
double tanh_slope(double x) { return 1 - std::tanh(x) * std::tanh(x); }

// E f(N(mu, s)).
double expected(double (*f)(double), double mu, double s) {
  return gaussian_mean([=](double z) { return f(mu + s * z); });
}

// f'(x) as the library differentiates it.
double derivative(Tensor (*f)(const Tensor&), double at) {
  Tensor x = Tensor::scalar(at).track();
  return grad(f(x), {x})[0].item();
}

// The mean gradient that a batch of N(mu, s) passes through f.
Sample batch_slope(Tensor (*f)(const Tensor&), double mu, double s, Random& random, int64_t draws,
                   bool squared = false) {
  Tensor x = Tensor::normal({draws}, random, mu, s).track();
  const Tensor y = f(x);
  Sample sample;
  for (double v : grad(y, {x}, {.cotangent = ones(draws)})[0].values()) sample.add(squared ? v * v : v);
  return sample;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t draws = lab.quick_or_full(100'000, 2'000'000);
  double steepest = 0;
  for (double z : grid(-8, 8, 161)) steepest = std::max(steepest, derivative(sigmoid, z));
  lab.equal("A3.1", "the steepest slope of the sigmoid from -8 to 8 is that at 0, $1/4$", .25, steepest);
  lab.equal("A3.1", fmt::format("slope of the sigmoid at 0 over that at {}: $cosh^2(mean / 2)$", p.mean),
            std::pow(std::cosh(p.mean / 2), 2), derivative(sigmoid, 0) / derivative(sigmoid, p.mean));
  if (lab.standard())
    lab.equal("A3.1", "the same against the table", 14.154, derivative(sigmoid, 0) / derivative(sigmoid, 4), 1e-4);
  std::vector<double> integrals, ratios, shrunk, normalised;
  for (int mu = 0; mu <= 6; ++mu)
    integrals.push_back(expected(slope, mu, 1)), ratios.push_back(integrals[0] / integrals.back());
  lab.same("A3.3", "$E sigmoid'(N(mu, 1))$, mu = 0 to 6: .206621 .177943 .115758 .059822 .026298 .010505 .004",
           {.206621, .177943, .115758, .059822, .026298, .010505, .004000}, integrals, 1e-6);
  lab.same("A3.3", "the first over each: 1 1.161 1.785 3.454 7.857 19.67 51.66",
           {1, 1.161, 1.785, 3.454, 7.857, 19.67, 51.66}, ratios, 2e-4);
  for (int mu : {0, 2, 4, 6})
    lab.expected("A3.3", fmt::format("$E sigmoid'(N({}, 1))$, {} draws", mu, draws), expected(slope, mu, 1),
                 batch_slope(sigmoid, mu, 1, random, draws));

  // The text: centring mean 4 gains "over an order of magnitude". In expectation it depends on the spread.
  const std::vector<double> table_spreads{.1, .25, .5, 1, 2};
  const auto gain = [&](double s) { return expected(slope, 0, s) / expected(slope, p.mean, s); };
  for (double s : table_spreads)
    shrunk.push_back(gain(s)), normalised.push_back(expected(slope, 0, 1) / expected(slope, p.mean, s));
  if (lab.standard()) {
    lab.same("A3.2", "N(4, s) centred, s = .1 .25 .5 1 2: gains 14.06 13.56 11.98 7.86 3.21",
             {14.06, 13.56, 11.98, 7.857, 3.21}, shrunk, 1e-3);
    lab.same("A3.2", "N(4, s) made N(0, 1): gains 11.65 11.38 10.49 7.86 4.38", {11.65, 11.38, 10.49, 7.857, 4.38},
             normalised, 1e-3);
  }
  const auto squared = [](double x) { return slope(x) * slope(x); };
  lab.same("A3.2", "$E sigmoid'^2$ at mean 0 and 4: .044836 .0014043", {.044836, .0014043},
           {expected(squared, 0, 1), expected(squared, 4, 1)}, 1e-6);
  lab.equal("A3.2", "gain of the squared gradient, s = 1", 31.9, expected(squared, 0, 1) / expected(squared, 4, 1),
            2e-3);
  lab.expected("A3.2", "$E sigmoid'(N(4, 1))^2$, measured", expected(squared, 4, 1),
               batch_slope(sigmoid, 4, 1, random, draws, true));
  const auto measured_gain = [&](double s) {
    return batch_slope(sigmoid, 0, s, random, draws).mean() / batch_slope(sigmoid, p.mean, s, random, draws).mean();
  };
  const double narrow = measured_gain(.5), wide = measured_gain(1);
  lab.only_if("A3.2", "centring mean 4 gains over an order of magnitude", "the spread is at most about 0.7",
              fmt::format("{:.2f}x at s = 0.5, {:.2f}x at s = 1", narrow, wide), narrow > 10, wide > 10);

  lab.equal("A3.4", "slope of tanh at 0 over that at 4", 745.74, derivative(tanh, 0) / derivative(tanh, 4), 1e-5);
  lab.same("A3.4", "$E tanh'$ at mean 0 and 4, spread 1: .605706 .008776", {.605706, .008776},
           {expected(tanh_slope, 0, 1), expected(tanh_slope, 4, 1)}, 1e-6);
  lab.equal("A3.4", "their ratio", 69.0, expected(tanh_slope, 0, 1) / expected(tanh_slope, 4, 1), 1e-3);
  lab.expected("A3.5", "$E tanh'(gamma z)$ at gamma = 1", .605706, batch_slope(tanh, 0, 1, random, draws));
  lab.equal("A3.5", "at gamma = 0.1", .990, expected(tanh_slope, 0, .1), 1e-3);

  const std::vector<double> means = grid(0, 6, 25), spreads = grid(0.05, 2.5, 50);
  Series seen{"measured", means, {}, 1};
  for (double mu : means) seen.y.push_back(batch_slope(sigmoid, mu, 1, random, draws / 10).mean());
  lab.figure(
      {{.title = "Gradient through a sigmoid",
        .x_label = "mean of the pre-activation (standard deviation 1)",
        .y_label = "mean slope",
        .series = {curve(
                       "predicted: E sigmoid'(N(mu, 1))", means, [](double mu) { return expected(slope, mu, 1); }, 0,
                       true),
                   seen, curve("slope at mu itself", means, slope, 2, true)}},
       {.title = fmt::format("What centring mean {} gains", p.mean),
        .x_label = "standard deviation of the pre-activation",
        .y_label = "ratio of mean slopes",
        .series = {curve("predicted: N(0, s) over N(4, s)", spreads, gain, 0, true),
                   curve(
                       "an order of magnitude", spreads, [](double) { return 10.0; }, 7)}}},
      {.shows = "Left: the mean slope of a sigmoid, which multiplies the gradient, against the mean of its input (no "
                "units). Right: the factor by which moving the mean back to 0 raises the slope, against the spread.",
       .predicted = fmt::format(
           "For an input of exactly the mean it is {:.3g}-fold. Averaged over a batch of standard deviation 1 it "
           "is {:.2g}-fold, because the part of the batch near zero still had gradient before.",
           std::pow(std::cosh(p.mean / 2), 2), gain(1)),
       .seen = fmt::format("{:.2f}-fold for the standard deviation 0.5, {:.2f}-fold for 1.", narrow, wide)});
}

}  // namespace

extern const Experiment saturation{
    "saturation",
    "Gradient flow",
    "How much gradient does a drifted sigmoid lose, and how much does centring regain?",
    "For an input of exactly 4, centring raises the gradient 14-fold; for a batch of mean 4 and spread 1 only 8-fold.",
    "Pointwise 14.2-fold from 4 to 0; in expectation over N(4, 1) only 7.9-fold, above 10 for spreads up to about 0.7; "
    "squared gradients 32-fold. tanh: 746 and 69.",
    run,
    {"Let the unit drift to 6 instead of 4: how much does centring gain at the point?", "mean=6",
     "slope of the sigmoid", 101, 102,
     "$cosh^2(3) = 101$-fold. Far from 0 the slope falls by a factor e per unit of the mean, so the gain grows by e."}};

}  // namespace evenkeel::lab
