// One stream of batches, averaged by the rules of several libraries: claims A6.3, A6.4 and A6.6.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t batch = 32;
  static void each(auto& o, auto&& option) { option("batch", o.batch, Range{2, 1024}, "values in a batch"); }
};

// A library's rule for running statistics: r <- (1 - a) r + a (batch statistic), from `mean0` and `var0`; taken from
// its source.
struct Dialect {
  const char* name;
  double a, mean0, var0;
  bool unbiased, corrected;
};
constexpr Dialect dialects[] = {{"evenkeel, Caffe: from 0, corrected, a = 0.1", .1, 0, 0, true, true},
                                {"PyTorch, MLX, Candle, tinygrad: variance from 1, a = 0.1", .1, 0, 1, true, false},
                                {"Keras, Flax: variance from 1, biased, a = 0.01", .01, 0, 1, false, false},
                                {"tiny-dnn: from 0, a = 0.001", .001, 0, 0, true, false}};

struct Moments {
  double mean, var;  // of a batch var is the biased one
};
std::vector<Moments> average(const Dialect& d, const std::vector<Moments>& batches, double m) {
  double r = d.mean0, v = d.var0, w = 0;
  std::vector<Moments> all;
  for (const Moments& b : batches) {
    r = (1 - d.a) * r + d.a * b.mean;
    v = (1 - d.a) * v + d.a * b.var * (d.unbiased ? m / (m - 1) : 1);
    w = (1 - d.a) * w + d.a;
    all.push_back(d.corrected ? Moments{r / w, v / w} : Moments{r, v});
  }
  return all;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const double mu = 3, sigma = 2;
  const int64_t m = p.batch;
  BatchNorm layer(1);
  std::vector<Moments> batches, own;
  for (int t = 0; t < 1000; ++t) {
    const Tensor batch = Tensor::normal({m, 1}, random, mu, sigma);
    const Normalized n = standardise(batch);
    batches.push_back({n.mean.item(), n.var.item()});
    layer.forward(batch, Mode::train);
    own.push_back({layer.running_mean.item(), layer.running_var.item()});
  }
  double apart = 0;
  const std::vector<Moments> rule = average(dialects[0], batches, m);
  for (size_t t = 0; t < own.size(); ++t)
    apart = std::max({apart, std::abs(own[t].mean - rule[t].mean), std::abs(own[t].var - rule[t].var)});
  lab.equal("A6.3", "the first rule is this library's layer, over 1000 batches", 0, apart, 1e-12);

  const Moments tens = average(dialects[1], {{10, 0}}, 4)[0];
  lab.equal("A6.4", "PyTorch's mean after one batch of tens", 1.0, tens.mean);
  lab.equal("A6.4", "and its variance, which started at 1", 0.9, tens.var);
  // A stream whose batches all have the true moments: the error comes from the start alone.
  const double v = sigma * sigma;
  const auto start = [&](double t) { return v * (1 - std::pow(.9, t)) + std::pow(.9, t); };
  const std::vector<Moments> exact = average(dialects[1], std::vector<Moments>(50, {mu, v * (m - 1.0) / m}), m);
  lab.same("A6.4", "$E r_t = sigma^2 (1 - (1-a)^t) + (1-a)^t$, t = 1, 10, 50", {start(1), start(10), start(50)},
           {exact[0].var, exact[9].var, exact[49].var});
  lab.equal(
      "A6.6", "what Keras' and Flax' variance tends to, over the truth: $(m-1)/m$", (m - 1.0) / m,
      average({"", .1, 0, 1, false, false}, std::vector<Moments>(2000, {mu, v * (m - 1.0) / m}), m).back().var / v);

  std::vector<double> index;
  for (double t = 1; t <= 1000; t *= 1.15) index.push_back(std::floor(t));
  Chart means{.title = "Running mean",
              .x_label = "number of batches",
              .y_label = "mean; the truth is 3",
              .series = {},
              .log_x = true};
  Chart variances{.title = "Running variance",
                  .x_label = "number of batches",
                  .y_label = "variance; the truth is 4",
                  .series = {},
                  .log_x = true};
  int color = 0;
  std::string seen;
  for (const Dialect& d : dialects) {
    const std::vector<Moments> all = average(d, batches, static_cast<double>(m));
    Series r{d.name, index, {}, color}, s{d.name, index, {}, color++};
    for (double t : index)
      r.y.push_back(all[static_cast<size_t>(t) - 1].mean), s.y.push_back(all[static_cast<size_t>(t) - 1].var);
    means.series.push_back(r);
    variances.series.push_back(s);
    const double reached = d.corrected ? 1 : 1 - std::pow(1 - d.a, 1000);
    const double four_errors =
        4 * sigma / std::sqrt(static_cast<double>(m)) * std::sqrt(d.a / (2 - d.a)) / mu;  // by A6.5
    lab.between(
        "A6.3",
        fmt::format("mean after 1000 batches over the truth: {:.3f} +- four standard errors; {}", reached, d.name),
        reached - four_errors, reached + four_errors, {all.back().mean / mu});
    seen += fmt::format("{}{:.2f}", seen.empty() ? "" : ", ", all[9].mean);
  }
  lab.figure({means, variances},
             {.shows = fmt::format(
                  "The same thousand batches of {} draws from N(3, 4), averaged by the rules of several libraries "
                  "(a is the weight of the new "
                  "value). Left the running mean, right the running variance (no units), against the number of "
                  "batches on a logarithmic axis.",
                  m),
              .predicted = "Only the corrected average is near the truth from the first batch on; it is noisier at "
                           "first, which is the price. "
                           "From 0 with a = 0.001, $1 - 0.999^1000$ = 63 % of the truth has arrived at the end.",
              .seen = fmt::format("After ten batches the running means are {} in the legend's order.", seen)});
}

}  // namespace

extern const Experiment dialects_experiment{
    "dialects",
    "Inference",
    "How do other libraries average the same batches?",
    "Differently for hundreds of batches: most start from 0 or 1 and do not correct for it.",
    "Uncorrected from zero a mean has $1 - (1 - a)^t$ of the truth; a variance that starts at 1 is $sigma^2 (1 - (1 - "
    "a)^t) + (1 - a)^t$; only a kept weight is right at every step.",
    run,
    {"Take batches of two values: what does the biased variance of Keras and Flax tend to?", "batch=2", "what Keras",
     0.499, 0.501, "Half of the truth: (m-1)/m with m = 2. In batches of 32 it is 97 %, and nobody notices."}};

}  // namespace evenkeel::lab
