// The accuracy of running statistics as estimates, and inference with them: claims A6.5 to A6.8.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/recalibrate.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double weight = 0.1;
  static void each(auto& o, auto&& option) {
    option("weight", o.weight, Range{0.001, 0.9}, "a, the weight of the new value");
  }
};

constexpr double mu = 3, sigma = 2;
Tensor draws(int64_t m, Random& random) { return Tensor::normal({m, 1}, random, mu, sigma); }

// The variance of the corrected mean of t batches, divided by that of one batch's mean.
double predicted_noise(double a, double t) {
  return a / (2 - a) * (1 - std::pow(1 - a, 2 * t)) / std::pow(1 - std::pow(1 - a, t), 2);
}

// The price of being unbiased: the spread of r_t. One number a channel, so that many streams run at once.
Series noise_of(Lab& lab, double a, Random& random) {
  const int64_t streams = lab.quick_or_full(4000, 40000);
  BatchNorm many(streams, {.new_weight = a});
  Series s{"measured, corrected", {}, {}, 1};
  const std::vector<std::pair<int, double>> table{{1, 1.0}, {5, .2044}, {20, .0672}, {100, .05263}};
  for (int t = 1; t <= 100; ++t) {
    many.forward(Tensor::normal({2, streams}, random, 0, std::sqrt(2.0)),
                 Mode::train);  // the batch mean has variance 1
    Sample squares;
    for (double r : many.running_mean.values()) squares.add(r * r);
    s.x.push_back(t), s.y.push_back(squares.mean());
    for (const auto& [at, value] : table) {
      if (at != t) continue;
      if (lab.standard())
        lab.equal("A6.5",
                  fmt::format("variance of the corrected mean, t = {}, over a batch mean's: against the table", t),
                  value, predicted_noise(a, t), 1e-4);
      lab.expected("A6.5", fmt::format("the corrected mean's variance, measured, t = {}", t), predicted_noise(a, t),
                   squares);
    }
  }
  return s;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Series measured = noise_of(lab, p.weight, random);
  const double batches = (2 - p.weight) / p.weight;
  for (int64_t m : {2, 8}) {
    Sample biased;
    for (double v : standardise(Tensor::normal({m, 20000}, random, mu, sigma)).var.values()) biased.add(v);
    lab.expected("A6.6", fmt::format("$E sigma_B^2$ in batches of {}, $sigma^2 = 4$: $sigma^2 (m-1)/m$", m),
                 sigma * sigma * (static_cast<double>(m) - 1) / static_cast<double>(m), biased);
  }
  BatchNorm once(1);
  once.forward(draws(32, random), Mode::train);
  // Inference is one fixed affine map per channel, for any other examples in the batch.
  const Tensor eight = draws(8, random), y = once.forward(eight, Mode::eval);
  double apart = 0;
  for (int64_t i = 0; i < 8; ++i)
    apart =
        std::max(apart, std::abs(once.forward(Tensor::of({1, 1}, {eight.data()[i]}), Mode::eval).item() - y.data()[i]));
  lab.equal("A6.7", "inference: alone or among others, to the bit", 0, apart, 0);
  const double a = 1 / std::sqrt(once.running_var.item() + 1e-5);
  lab.same("A6.7", "inference: y = a x + b", eight * a - a * once.running_mean.item(), y, 1e-14);
  // The whole training set's moments, from batches of any size.
  const Tensor all = draws(1000, random);
  Population population;
  for (int64_t begin = 0, size = 1; begin < 1000; begin += size++) {
    size = std::min(size, 1000 - begin);
    population.add(Tensor::of({size, 1}, {all.data() + begin, all.data() + begin + size}));
  }
  lab.equal("A6.8", "population variance, merged from batches of 1, 2, 3, ...: that of all at once",
            standardise(all).var.item(), population.var().item(), 1e-13);

  const std::vector<double> t = grid(1, 100, 100);
  lab.figure({{.title = "The price of the correction",
               .x_label = fmt::format("batches averaged (a = {})", p.weight),
               .y_label = "variance over that of one batch mean",
               .series = {curve(
                              "predicted: a/(2-a) (1 - (1-a)^(2t)) / (1 - (1-a)^t)^2", t,
                              [&](double n) { return predicted_noise(p.weight, n); }, 0, true),
                          measured}}},
             {.shows = "The variance of a corrected running mean over many streams, in units of one batch mean's "
                       "variance (vertical), "
                       "against the number of batches averaged.",
              .predicted =
                  fmt::format("The correction removes the bias at the price of noise: the first estimate is as "
                              "noisy as one batch. In the end it is as accurate as a mean of (2-a)/a = {:.3g} batches.",
                              batches),
              .seen = fmt::format("It falls from {:.3f} to {:.4f}; the limit a/(2-a) is {:.4f}.", measured.y.front(),
                                  measured.y.back(), 1 / batches)});
}

}  // namespace

extern const Experiment estimates{
    "estimates",
    "Inference",
    "How accurate are running statistics, and how does inference use them?",
    "As accurate as a mean of 19 batches at a = 0.1; inference is one fixed affine map with them.",
    "A corrected running mean has $a / (2 - a) (1 - (1 - a)^(2 t)) / (1 - (1 - a)^t)^2$ of a batch mean's variance; "
    "the biased variance is $(m - 1) / m$ of the truth. Inference is one affine map per feature, for any other "
    "examples in the batch.",
    run,
    {"Take a tenth of the weight: how noisy is the mean after 100 batches?", "weight=0.01",
     "the corrected mean's variance, measured, t = 100", 0.009, 0.013,
     "0.011 of a batch mean's variance, instead of 0.053. So small a weight averages longer; but it also remembers "
     "longer what the network was before."}};

}  // namespace evenkeel::lab
