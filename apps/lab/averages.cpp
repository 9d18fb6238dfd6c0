// The running averages: bias, its correction, what they cost, and the same stream as others would average it: claims A6.1 to A6.7.
#include "apps/lab/lab.h"
#include "core/normalize.h"
#include "layers/batch_norm.h"

namespace evenkeel::lab {
namespace {

// How a library keeps running statistics: r <- (1 - a) r + a (batch statistic), from `mean0` and `var0`.
struct Dialect {
  const char* name;
  double a, mean0, var0;
  bool unbiased, corrected;
};
constexpr Dialect dialects[] = {{"this one, Caffe: from 0, corrected", .1, 0, 0, true, true},
                                {"PyTorch: variance from 1, a = 0.1", .1, 0, 1, true, false},
                                {"Keras, Flax: biased, a = 0.01", .01, 0, 1, false, false},
                                {"tiny-dnn: from 0, a = 0.001", .001, 0, 0, true, false}};

Tensor batch_of(double mean, double deviation, int64_t m, Random& random) { return Tensor::normal({m, 1}, random, mean, deviation); }

void run(Lab& lab) {
  Random random(1);
  const double mu = 3, sigma = 2;
  // A constant stream through the layer itself: its weight is what an uncorrected average from zero would have reached.
  for (const auto& [a, t, predicted] : {std::tuple{.1, 1, .1}, {.1, 2, .19}, {.1, 5, .40951}, {.1, 10, .651322}, {.1, 22, .901523}, {.01, 100, .633968}}) {
    BatchNorm layer(1, {.new_weight = a});
    for (int i = 0; i < t; ++i) layer.forward(Tensor::full({4, 1}, mu), Mode::train);
    lab.equal("A6.1", fmt::format("uncorrected mean over the truth, a = {}, after {} batches", a, t), predicted, layer.running_weight.item() * layer.running_mean.item() / mu, 1e-6);
    lab.equal("A6.2", "corrected by 1 / (1 - (1-a)^t)", mu, layer.running_mean.item());
  }
  lab.equal("A6.1", "batches until an uncorrected mean has 99 %, a = 0.1", 44, std::ceil(std::log(.01) / std::log(.9)), 0);
  BatchNorm once(1);
  const Tensor x = batch_of(mu, sigma, 32, random);
  once.forward(x, Mode::train);
  lab.equal("A6.2", "after one batch the corrected mean is that batch's, to the bit", batch_norm(x, once.gamma, once.beta).mean.item(), once.running_mean.item(), 0);

  // A weight that varies: w <- (1 - a) w + a stays the right divisor, 1 / (1 - (1-a)^t) does not.
  BatchNorm varying(1), cumulative(1, {.cumulative = true}), as_cumulative(1);
  double none_left = 1, average = 0;
  for (int t = 1; t <= 20; ++t) {
    const double a = 0.05 + 0.5 / t;
    varying.options.new_weight = a;
    as_cumulative.options.new_weight = 1.0 / t;
    none_left *= 1 - a;
    const Tensor batch = t <= 10 ? Tensor::full({4, 1}, mu) : batch_of(mu, sigma, 8, random);
    for (BatchNorm* layer : {&varying, &cumulative, &as_cumulative}) layer->forward(batch, Mode::train);
    average += mean(batch).item() / 20;
    if (t == 10) {
      lab.equal("A6.3", "a varies, constant stream: the kept weight divides right", mu, varying.running_mean.item());
      lab.only_if("A6.3", "dividing by 1 - (1-a)^t is right", "a is constant, or w is kept", fmt::format("with the last a: {:.4f}, with w: {:.4f}, truth 3", mu * (1 - none_left) / (1 - std::pow(1 - a, t)), varying.running_mean.item()),
                  std::abs(varying.running_mean.item() - mu) < 1e-10, std::abs(mu * (1 - none_left) / (1 - std::pow(1 - a, t)) - mu) < 1e-10);
    }
  }
  lab.equal("A6.3", "w = 1 - product of (1 - a_i)", 1 - none_left, varying.running_weight.item());
  lab.equal("A6.3", "a = 1/t is the mean of all batches", average, as_cumulative.running_mean.item());
  lab.equal("A6.3", "and average=cumulative is a = 1/t", as_cumulative.running_var.item(), cumulative.running_var.item());

  // PyTorch's initial 1: E r_t = sigma^2 (1 - (1-a)^t) + (1-a)^t.
  const auto stream = [](const Dialect& d, const std::vector<std::pair<double, double>>& moments, double m) {  // (mean, biased variance)
    double r = d.mean0, v = d.var0, w = 0;
    std::vector<std::pair<double, double>> all;
    for (const auto& [mean, var] : moments) {
      r = (1 - d.a) * r + d.a * mean;
      v = (1 - d.a) * v + d.a * var * (d.unbiased ? m / (m - 1) : 1);
      w = (1 - d.a) * w + d.a;
      all.push_back(d.corrected ? std::pair{r / w, v / w} : std::pair{r, v});
    }
    return all;
  };
  const auto torch = stream(dialects[1], {{10, 0}}, 4);
  lab.equal("A6.4", "PyTorch's mean after one batch of tens", 1.0, torch[0].first);
  lab.equal("A6.4", "and its variance", 0.9, torch[0].second);

  // The price of being unbiased: the spread of r_t. One number a channel, so that many streams run at once.
  const int64_t streams = lab.quick_or_full(4000, 40000);
  BatchNorm many(streams);
  for (int t = 1; t <= 100; ++t) {
    many.forward(Tensor::normal({2, streams}, random, 0, std::sqrt(2.0)), Mode::train);  // the batch mean has variance 1
    if (t != 1 && t != 5 && t != 20 && t != 100) continue;
    Sample squares;
    const double w = many.running_weight.item();
    for (double r : many.running_mean.values()) squares.add(w * w * r * r);
    const double predicted = .1 / 1.9 * (1 - std::pow(.9, 2 * t));
    lab.expected("A6.5", fmt::format("Var r_t uncorrected, t = {}: {:.4g} corrected", t, predicted / (w * w)), predicted, squares);
  }
  lab.equal("A6.5", "a = 0.1 averages over (2 - a) / a batches", 19, 1.9 / .1);
  for (int64_t m : {2, 8}) {
    Sample biased;
    const Normalized n = batch_norm(Tensor::normal({m, 20000}, random, mu, sigma), Tensor::full({20000}, 1), Tensor::zeros({20000}));
    for (double v : n.var.values()) biased.add(v);
    lab.expected("A6.6", fmt::format("E sigma_B^2 in batches of {}, sigma^2 = 4: sigma^2 (m-1)/m", m), sigma * sigma * (m - 1.0) / m, biased);
  }

  // Inference is one fixed line per channel, whoever else is in the batch.
  const Tensor eight = batch_of(mu, sigma, 8, random), y = once.forward(eight, Mode::eval);
  double apart = 0;
  for (int64_t i = 0; i < 8; ++i) apart = std::max(apart, std::abs(once.forward(Tensor::of({1, 1}, {eight.data()[i]}), Mode::eval).item() - y.data()[i]));
  lab.equal("A6.7", "inference: alone or among others, to the bit", 0, apart, 0);
  const double a = 1 / std::sqrt(once.running_var.item() + 1e-5);
  lab.same("A6.7", "inference: y = a x + b", eight * a - a * once.running_mean.item(), y, 1e-14);

  // One stream, several libraries.
  const int64_t m = 32;
  std::vector<std::pair<double, double>> moments;
  for (int t = 0; t < 1000; ++t) {
    const Normalized n = batch_norm(batch_of(mu, sigma, m, random), Tensor::full({1}, 1), Tensor::zeros({1}));
    moments.push_back({n.mean.item(), n.var.item()});
  }
  std::vector<double> log_steps, index;
  for (double t = 1; t <= 1000; t *= 1.15) index.push_back(std::floor(t)), log_steps.push_back(std::log10(std::floor(t)));
  Chart means{.title = "Running mean", .x_label = "log10 of the number of batches", .y_label = "mean; the truth is 3", .series = {}};
  Chart variances{.title = "Running variance", .x_label = "log10 of the number of batches", .y_label = "variance; the truth is 4", .series = {}};
  int color = 0;
  for (const Dialect& d : dialects) {
    const auto all = stream(d, moments, static_cast<double>(m));
    Series r{d.name, log_steps, {}, color}, v{d.name, log_steps, {}, color++};
    for (double t : index) r.y.push_back(all[static_cast<size_t>(t) - 1].first), v.y.push_back(all[static_cast<size_t>(t) - 1].second);
    means.series.push_back(r);
    variances.series.push_back(v);
    const double reached = d.corrected ? 1 : 1 - std::pow(1 - d.a, 1000);
    lab.between("A6.3", fmt::format("mean after 1000 batches over the truth; {}", d.name), reached - .03, reached + .03, {all.back().first / mu});
  }
  lab.figure({means, variances}, "The same thousand batches of 32 draws from N(3, 4), averaged by the rules of several libraries (their source was read; a is the weight of the new value). Left the running mean, right the running "
                                 "variance, against the number of batches on a logarithmic axis. Only the corrected average is near the truth from the first batch on; it is noisier at first, which is the price. From 0 with "
                                 "a = 0.001, 1 - 0.999^1000 = 63 % of the truth has arrived at the end.");
}

}  // namespace

extern const Experiment averages{
    "averages", "Inference", "What do the running averages know, and when?",
    "From zero, r_t has reached 1 - (1-a)^t of the truth; the kept weight w corrects it exactly, also for a that varies. Its variance is a/(2-a) (1 - (1-a)^2t) of a batch mean's, over w^2 if corrected.",
    run, "Add your library's rule as a line of `dialects`, and find it in the picture."};

}  // namespace evenkeel::lab
