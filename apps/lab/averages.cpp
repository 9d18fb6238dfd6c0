// The running averages: bias, its correction, what they cost, and what inference makes of them: claims A6.1 to A6.8.
#include "apps/lab/lab.h"
#include "layers/recalibrate.h"

namespace evenkeel::lab {
namespace {

constexpr double mu = 3, sigma = 2;
Tensor draws(int64_t m, Random& random) { return Tensor::normal({m, 1}, random, mu, sigma); }

// A constant stream through the layer itself: its weight is what an uncorrected average from zero would have reached.
void constant_stream(Lab& lab) {
  const auto weight = [&](double a, int batches, bool corrected = false) {
    BatchNorm layer(1, {.new_weight = a});
    for (int i = 0; i < batches; ++i) layer.forward(Tensor::full({4, 1}, mu), Mode::train);
    return corrected ? layer.running_mean.item() : layer.running_weight.item();
  };
  lab.same("A6.1", "uncorrected mean over the truth, a = 0.1, after 1 2 5 10 22 batches: .1 .19 .40951 .651322 .901523", {.1, .19, .40951, .651322, .901523},
           {weight(.1, 1), weight(.1, 2), weight(.1, 5), weight(.1, 10), weight(.1, 22)}, 1e-6);
  lab.equal("A6.1", "a = 0.01, after 100", .633968, weight(.01, 100), 1e-6);
  const auto enough = [&](double a) { return std::ceil(std::log(.01) / std::log(1 - a)); };
  lab.same("A6.1", "batches until it has 99 %, a = 0.1 0.01 0.001: 44 459 4603", {44, 459, 4603}, {enough(.1), enough(.01), enough(.001)}, 0);
  lab.equal("A6.1", "at the 44th of them the layer's weight is above .99, at the 43rd not", 1, weight(.1, 44) > .99 && weight(.1, 43) < .99, 0);
  lab.same("A6.2", "the correction after 1 2 5 10 22 50: 10 5.2632 2.4419 1.5353 1.1092 1.0052", {10, 5.2632, 2.4419, 1.5353, 1.1092, 1.0052},
           {1 / weight(.1, 1), 1 / weight(.1, 2), 1 / weight(.1, 5), 1 / weight(.1, 10), 1 / weight(.1, 22), 1 / weight(.1, 50)}, 5e-5);
  lab.same("A6.2", "corrected: the truth, after 1, 10, 100 batches", {mu, mu, mu}, {weight(.1, 1, true), weight(.1, 10, true), weight(.1, 100, true)});
}

// A weight that varies: w <- (1 - a) w + a stays the right divisor, 1 / (1 - (1-a)^t) does not.
void varying_weight(Lab& lab, Random& random) {
  BatchNorm varying(1), cumulative(1, {.cumulative = true}), as_cumulative(1);
  double none_left = 1, average = 0;
  for (int t = 1; t <= 20; ++t) {
    const double a = varying.options.new_weight = 0.05 + 0.5 / t;
    as_cumulative.options.new_weight = 1.0 / t;
    none_left *= 1 - a;
    const Tensor batch = t <= 10 ? Tensor::full({4, 1}, mu) : draws(8, random);
    for (BatchNorm* layer : {&varying, &cumulative, &as_cumulative}) layer->forward(batch, Mode::train);
    average += mean(batch).item() / 20;
    if (t != 10) continue;
    const double by_last = mu * (1 - none_left) / (1 - std::pow(1 - a, t)), kept = varying.running_mean.item();
    lab.only_if("A6.3", "dividing by 1 - (1-a)^t is right", "a is constant, or w is kept",
                fmt::format("with the last a: {:.4f}, with w: {:.4f}, truth 3", by_last, kept), std::abs(kept - mu) < 1e-10, std::abs(by_last - mu) < 1e-10);
  }
  lab.equal("A6.3", "w = 1 - product of (1 - a_i)", 1 - none_left, varying.running_weight.item());
  lab.equal("A6.3", "a = 1/t is the mean of all batches", average, as_cumulative.running_mean.item());
  lab.equal("A6.3", "and average=cumulative is a = 1/t", as_cumulative.running_var.item(), cumulative.running_var.item());
}

// The price of being unbiased: the spread of r_t. One number a channel, so that many streams run at once.
Series noise_of(Lab& lab, Random& random) {
  const int64_t streams = lab.quick_or_full(4000, 40000);
  BatchNorm many(streams);
  Series s{"measured, corrected", {}, {}, 1};
  const std::vector<std::pair<int, double>> table{{1, 1.0}, {5, .2044}, {20, .0672}, {100, .05263}};
  for (int t = 1; t <= 100; ++t) {
    many.forward(Tensor::normal({2, streams}, random, 0, std::sqrt(2.0)), Mode::train);  // the batch mean has variance 1
    Sample squares;
    for (double r : many.running_mean.values()) squares.add(r * r);
    s.x.push_back(t), s.y.push_back(squares.mean());
    for (const auto& [at, value] : table) {
      if (at != t) continue;
      const double w = many.running_weight.item(), predicted = .1 / 1.9 * (1 - std::pow(.9, 2 * t)) / (w * w);
      lab.equal("A6.5", fmt::format("variance of the corrected mean, t = {}, over a batch mean's: against the table", t), value, predicted, 1e-4);
      lab.expected("A6.5", "the same, measured", predicted, squares);
    }
  }
  return s;
}

void run(Lab& lab) {
  Random random(1);
  constant_stream(lab);
  BatchNorm once(1);
  const Tensor x = draws(32, random);
  once.forward(x, Mode::train);
  lab.equal("A6.2", "after one batch the corrected mean is that batch's, to the bit", standardise(x).mean.item(), once.running_mean.item(), 0);
  varying_weight(lab, random);
  const Series measured = noise_of(lab, random);
  lab.equal("A6.5", "a = 0.1 averages over (2 - a) / a batches", 19, (2 - .1) / .1);
  for (int64_t m : {2, 8}) {
    Sample biased;
    for (double v : standardise(Tensor::normal({m, 20000}, random, mu, sigma)).var.values()) biased.add(v);
    lab.expected("A6.6", fmt::format("E sigma_B^2 in batches of {}, sigma^2 = 4: sigma^2 (m-1)/m", m), sigma * sigma * (static_cast<double>(m) - 1) / static_cast<double>(m), biased);
  }
  // Inference is one fixed line per channel, whoever else is in the batch.
  const Tensor eight = draws(8, random), y = once.forward(eight, Mode::eval);
  double apart = 0;
  for (int64_t i = 0; i < 8; ++i) apart = std::max(apart, std::abs(once.forward(Tensor::of({1, 1}, {eight.data()[i]}), Mode::eval).item() - y.data()[i]));
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
  lab.equal("A6.8", "population variance, merged from batches of 1, 2, 3, ...: that of all at once", standardise(all).var.item(), population.var().item(), 1e-13);

  const std::vector<double> t = grid(1, 100, 100);
  lab.figure({{.title = "What an uncorrected average knows", .x_label = "batches averaged", .y_label = "share of the truth",
               .series = {curve("predicted, a = 0.1: 1 - 0.9^t", t, [](double n) { return 1 - std::pow(.9, n); }, 0, true),
                          curve("predicted, a = 0.01", t, [](double n) { return 1 - std::pow(.99, n); }, 2, true), curve("corrected", t, [](double) { return 1.0; }, 1)}},
              {.title = "The price of the correction", .x_label = "batches averaged", .y_label = "variance over a batch mean's",
               .series = {curve("predicted: a/(2-a) (1 - (1-a)^2t) / (1 - (1-a)^t)^2", t, [](double n) { return .1 / 1.9 * (1 - std::pow(.9, 2 * n)) / std::pow(1 - std::pow(.9, n), 2); }, 0, true), measured}}},
             {.shows = "Against the number of batches averaged: left the share of the true mean that a running average from zero has reached, right the variance of "
                       "the corrected average over many streams (a = 0.1), in units of one batch mean's variance.",
              .predicted = "Uncorrected, r_t has reached 1 - (1-a)^t. The correction removes that bias from the first batch on, at the price of noise: the first estimate is as "
                           "noisy as one batch, and 19 batches' worth of averaging is reached only later.",
              .seen = fmt::format("The measured variance falls from {:.3f} to {:.4f}; the limit a/(2-a) is .0526.", measured.y.front(), measured.y.back())});
}

}  // namespace

extern const Experiment averages{
    "averages", "Inference", "What do the running averages know, and when?",
    "From zero, r_t has reached 1 - (1-a)^t of the truth; the kept weight w corrects it exactly, also for a that varies. Its variance is a/(2-a) "
    "(1 - (1-a)^2t) of a batch mean's, over w^2 if corrected.",
    run, "Take a = 1/t in the second picture: the cumulative mean has the smallest variance of all. When would you not want it?"};

}  // namespace evenkeel::lab
