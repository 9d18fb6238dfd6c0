// The running averages: their bias, and its correction: claims A6.1 to A6.3.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double weight = 0.1;
  static void each(auto& o, auto&& option) {
    option("weight", o.weight, Range{0.0001, 1}, "a, the weight of the new value");
  }
};

constexpr double mu = 3, sigma = 2;
Tensor draws(int64_t m, Random& random) { return Tensor::normal({m, 1}, random, mu, sigma); }

// A constant stream through the layer: its weight is the value of an uncorrected average from zero.
void constant_stream(Lab& lab) {
  const auto weight = [&](double a, int batches, bool corrected = false) {
    BatchNorm layer(1, {.new_weight = a});
    for (int i = 0; i < batches; ++i) layer.forward(Tensor::full({4, 1}, mu), Mode::train);
    return corrected ? layer.running_mean.item() : layer.running_weight.item();
  };
  lab.same("A6.1", "uncorrected mean over the truth, a = 0.1, after 1 2 5 10 22 batches: .1 .19 .40951 .651322 .901523",
           {.1, .19, .40951, .651322, .901523},
           {weight(.1, 1), weight(.1, 2), weight(.1, 5), weight(.1, 10), weight(.1, 22)}, 1e-6);
  lab.equal("A6.1", "a = 0.01, after 100", .633968, weight(.01, 100), 1e-6);
  const auto enough = [&](double a) { return std::ceil(std::log(.01) / std::log(1 - a)); };
  lab.same("A6.1", "batches until it has 99 %, a = 0.1 0.01 0.001: 44 459 4603", {44, 459, 4603},
           {enough(.1), enough(.01), enough(.001)}, 0);
  lab.yes("A6.1", "at the 44th of them the layer's weight is above .99, at the 43rd not",
          weight(.1, 44) > .99 && weight(.1, 43) < .99);
  lab.same("A6.2", "the correction after 1 2 5 10 22 50: 10 5.2632 2.4419 1.5353 1.1092 1.0052",
           {10, 5.2632, 2.4419, 1.5353, 1.1092, 1.0052},
           {1 / weight(.1, 1), 1 / weight(.1, 2), 1 / weight(.1, 5), 1 / weight(.1, 10), 1 / weight(.1, 22),
            1 / weight(.1, 50)},
           5e-5);
  lab.same("A6.2", "corrected: the truth, after 1, 10, 100 batches", {mu, mu, mu},
           {weight(.1, 1, true), weight(.1, 10, true), weight(.1, 100, true)});
}

// A weight that varies: w <- (1 - a) w + a stays the right divisor, 1 / (1 - (1-a)^t) does not.
void varying_weight(Lab& lab, Random& random) {
  BatchNorm varying(1), cumulative(1, {.cumulative = true}), as_cumulative(1);
  double none_left = 1, average = 0;
  for (int t = 1; t <= 20; ++t) {
    const double a = varying.options.new_weight = 0.05 + 0.5 / t;
    as_cumulative.options.new_weight = 1.0 / t;
    none_left *= 1 - a;
    const Tensor batch = t <= 10 ? Tensor::full({8, 1}, mu) : draws(8, random);
    for (BatchNorm* layer : {&varying, &cumulative, &as_cumulative}) layer->forward(batch, Mode::train);
    average += mean(batch).item() / 20;
    if (t != 10) continue;
    const double by_last = mu * (1 - none_left) / (1 - std::pow(1 - a, t)), kept = varying.running_mean.item();
    lab.only_if("A6.3", "dividing by $1 - (1-a)^t$ is right", "a is constant, or w is kept",
                fmt::format("with the last a: {:.4f}, with w: {:.4f}, truth 3", by_last, kept),
                std::abs(kept - mu) < 1e-10, std::abs(by_last - mu) < 1e-10);
  }
  lab.equal("A6.3", "w is 1 less the product of $(1 - a_i)$", 1 - none_left, varying.running_weight.item());
  lab.equal("A6.3", "$a = 1/t$ is the mean of all batches", average, as_cumulative.running_mean.item());
  lab.equal("A6.3", "and average=cumulative is $a = 1/t$", as_cumulative.running_var.item(),
            cumulative.running_var.item());
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  constant_stream(lab);
  BatchNorm ten(1, {.new_weight = p.weight});
  for (int i = 0; i < 10; ++i) ten.forward(Tensor::full({4, 1}, mu), Mode::train);
  lab.equal("A6.1", fmt::format("share of the truth after 10 batches, a = {}: $1 - (1-a)^10$", p.weight),
            1 - std::pow(1 - p.weight, 10), ten.running_weight.item() * ten.running_mean.item() / mu);
  BatchNorm once(1);
  const Tensor x = draws(32, random);
  once.forward(x, Mode::train);
  lab.equal("A6.2", "after one batch the corrected mean is that batch's, to the bit", standardise(x).mean.item(),
            once.running_mean.item(), 0);
  varying_weight(lab, random);
  const std::vector<double> t = grid(1, 100, 100);
  Series slow{"measured, a = 0.01", t, {}, 3}, fast{"measured, a = 0.1", t, {}, 1},
      right{"measured, corrected", t, {}, 7};
  BatchNorm tenth(1), hundredth(1, {.new_weight = .01});
  for (int i = 0; i < 100; ++i) {
    for (BatchNorm* layer : {&tenth, &hundredth}) layer->forward(Tensor::full({4, 1}, mu), Mode::train);
    fast.y.push_back(tenth.running_weight.item() * tenth.running_mean.item() / mu);
    slow.y.push_back(hundredth.running_weight.item() * hundredth.running_mean.item() / mu);
    right.y.push_back(hundredth.running_mean.item() / mu);
  }
  lab.figure(
      {{.title = "What an uncorrected average knows",
        .x_label = "batches averaged",
        .y_label = "share of the truth",
        .series = {curve(
                       "predicted, a = 0.1: 1 - 0.9^t", t, [](double n) { return 1 - std::pow(.9, n); }, 0, true),
                   fast,
                   curve(
                       "predicted, a = 0.01: 1 - 0.99^t", t, [](double n) { return 1 - std::pow(.99, n); }, 2, true),
                   slow, right}}},
      {.shows = "The share of the true mean that a running average from zero has reached (vertical, 0 to 1), against "
                "the number of "
                "batches, all of which have that mean.",
       .predicted = "1 - (1-a)^t, where a is the weight of the new value. Divided by it, the average is right from the "
                    "first batch on.",
       .seen = fmt::format("After 100 batches an uncorrected average with a = 0.01 still has only {:.1f} % of the "
                           "truth; the corrected one has {:.1f} %.",
                           100 * slow.y.back(), 100 * right.y.back())});
}

}  // namespace

extern const Experiment averages{
    "averages",
    "Inference",
    "When are running averages right?",
    "Without correction they start near zero and are wrong for a long time; divided by their weight they are right "
    "from the first batch on.",
    "From zero, r_t has reached $1 - (1 - a)^t$ of the truth; dividing by the kept weight w corrects it exactly, also "
    "for an a that varies; $a = 1 / t$ is the mean of all batches.",
    run,
    {"Give the new value half of the weight: how much of the truth does an uncorrected average have after ten batches?",
     "weight=0.5", "share of the truth", 0.999, 0.9991,
     "99.9 % instead of 65 %. But it has nearly forgotten all but the last three batches: less bias, more noise."}};

}  // namespace evenkeel::lab
