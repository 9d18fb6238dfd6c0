// The exact results of batch normalisation: claims A1.1 to A1.6.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double eps = 1e-5;
  static void each(auto& o, auto&& option) {
    option("eps", o.eps, Range{0, 1}, "what is added to the variance under the root");
  }
};

double variance(const Tensor& x) { return mean(square(x - mean(x).item())).item(); }

// Step 2: mean 0, and a variance of sigma^2 / (sigma^2 + eps), over eight decades of sigma.
void step_two(Lab& lab, Random& random, double eps) {
  std::vector<double> sigmas;
  for (double e : grid(-4, 4, 33)) sigmas.push_back(std::pow(10, e));
  const Tensor unit = standardise(Tensor::normal({256, 1}, random), 0).y;  // of standard deviation 1
  std::vector<double> predicted, measured;
  double worst_mean = 0;
  for (double sigma : sigmas) {
    const double var = sigma * sigma;
    const Tensor y = standardise(unit * std::sqrt(var), eps).y;
    predicted.push_back(var / (var + eps));
    measured.push_back(variance(y));
    worst_mean = std::max(worst_mean, std::abs(mean(y).item()));
  }
  lab.equal("A1.2", "mean after step 2, sigma from 1e-4 to 1e4, the largest", 0, worst_mean);
  lab.same("A1.2", "variance after step 2 is $sigma^2 / (sigma^2 + eps)$, the same sigmas", predicted, measured);
  const double small = variance(standardise(unit * 1e-3, eps).y), large = variance(standardise(unit * 1e3, eps).y);
  lab.equal("A1.2", fmt::format("at sigma = 0.001 and eps = {}", eps), 1e-6 / (1e-6 + eps), small);
  lab.only_if("A1.2", "after step 2 the variance is 1", fmt::format("$sigma^2$ is far above eps = {}", eps),
              fmt::format("{:.4f} at sigma 0.001, {:.10f} at 1000", small, large), std::abs(large - 1) < 1e-9,
              std::abs(small - 1) < 1e-9);
  lab.figure(
      {{.title = "Variance after step 2",
        .x_label = "standard deviation of the batch",
        .y_label = "variance of xhat",
        .series = {{"predicted: sigma^2 / (sigma^2 + eps)", sigmas, predicted, 0, true},
                   {"measured", sigmas, measured, 1}},
        .log_x = true}},
      {.shows =
           fmt::format("The variance of the normalised values (vertical), against the standard deviation sigma of the "
                       "input (horizontal, from 0.0001 to 10,000 in powers of ten). Both have no unit; eps is {}.",
                       eps),
       .predicted = fmt::format(
           "$sigma^2 / (sigma^2 + eps)$: one half at $sigma = sqrt(eps)$ = {:.2g}. Below it, eps dominates the root.",
           std::sqrt(eps)),
       .seen = fmt::format(
           "The measured points lie on the curve; at sigma = 0.001 the variance is {:.4g}, at 1000 it is {:.4g}.",
           small, large)});
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Normalized four = standardise(Tensor::of({4, 1}, {1, 2, 3, 4}), p.eps);
  lab.equal("A1.1", "the mean of 1, 2, 3, 4", 2.5, four.mean.item());
  lab.equal("A1.1", "their variance in the normaliser, with $1/m$ (with $1/(m-1)$: 1.6667)", 1.25, four.var.item());
  step_two(lab, random, p.eps);

  // None of m values can be further than sqrt(m - 1) deviations from the mean; one outlier among equal values reaches
  // it.
  double outlier = 0, farthest = 0;
  for (int64_t m : {3, 8, 64}) {
    Tensor x = Tensor::zeros({m, 1});
    *x.mutable_data() = 1;
    outlier = std::max(outlier, std::abs(standardise(x, 0).y.data()[0] - std::sqrt(m - 1.0)));
    for (int i = 0; i < 200; ++i)
      for (double v : standardise(exp(Tensor::normal({m, 1}, random, 0, 3)), 0).y.values())
        farthest = std::max(farthest, std::abs(v) / std::sqrt(m - 1.0));
  }
  lab.equal("A1.3", "one outlier among equals stands at $sqrt(m-1)$", 0, outlier);
  lab.between("A1.3", "$|xhat| / sqrt(m-1)$, heavy-tailed batches, the largest", 0, 1, {farthest});

  // One value has no variance. Any two become +-1, and only eps keeps their gradient from zero.
  bool refused = false;
  try {
    standardise(Tensor::of({1, 1}, {3}));
  } catch (const Error&) {
    refused = true;
  }
  lab.yes("A1.4", "a batch of one value per channel is refused, as in PyTorch (Candle: infinity)", refused);
  Tensor pair = Tensor::of({2, 1}, {0.3, 1.9}).track();
  lab.same("A1.4", "a batch of two becomes -1, +1 (eps = 0)", {-1, 1}, standardise(pair.detach(), 0).y.values());
  const auto row = [&](double eps) {
    return grad(standardise(pair, eps).y, {pair}, {.cotangent = Tensor::of({2, 1}, {1, 0})})[0].values();
  };
  const double s2 = 0.64 + 1e-5, j = 1e-5 / (2 * s2 * std::sqrt(s2));
  lab.same("A1.4", "its gradient is 0: it cannot learn", {0, 0}, row(0), 1e-14);
  lab.same("A1.4", "with eps, $eps / (2 s^3)$ and minus that", {j, -j}, row(1e-5), 1e-14);
  lab.equal("A1.4", "of 0.3 and 1.9, against the table", 9.765e-6, row(1e-5)[0], 1e-9);

  // Step 3 can undo step 2; its gradients are sums.
  const Tensor x = Tensor::normal({6, 3}, random, 2, 3), g = Tensor::normal({6, 3}, random);
  Tensor gamma = Tensor::normal({3}, random).track(), beta = Tensor::normal({3}, random).track();
  const Normalized step3 = batch_norm(x, gamma, beta, p.eps);
  const Grads d = grad(step3.y, {gamma, beta}, {.cotangent = g});
  lab.same("A1.5", "$dL/dgamma$ is the sum of $g xhat$", sum_rows(g * standardise(x, p.eps).y), d[0].detach());
  lab.same("A1.5", "$dL/dbeta$ is the sum of g", sum_rows(g), d[1].detach());
  const Tensor spread = sqrt(mean_rows(square(add_per_channel(step3.y, -mean_rows(step3.y)))));
  lab.same("A1.5", "the output's mean is beta", beta.detach(), mean_rows(step3.y).detach());
  lab.same("A1.5", "and its deviation $|gamma| sigma / sqrt(sigma^2 + eps)$",
           abs(gamma).detach() * sqrt(step3.var.detach() / (step3.var.detach() + p.eps)), spread.detach());
  Tensor others = x.clone();
  for (int64_t i = 0; i < x.size(); ++i)
    if (i % 3) others.mutable_data()[i] *= 2;
  double touched = 0;
  const Tensor with_others = batch_norm(others, gamma, beta, p.eps).y;
  for (int64_t i = 0; i < x.size(); i += 3) touched += with_others.data()[i] != step3.y.data()[i];
  lab.equal("A1.1", "each feature by itself: values that change, to the bit, where the other features double", 0,
            touched, 0);
  lab.same("A1.6", "$gamma = sqrt(sigma^2 + eps)$, $beta = mu$ give back x", x,
           batch_norm(x, sqrt(step3.var + p.eps), step3.mean, p.eps).y.detach());
}

}  // namespace

extern const Experiment transform{
    "transform",
    "The transform",
    "What exactly do the three steps compute?",
    "They move a feature to mean 0, scale it to a variance of 1 (a little less, because of eps), and let gamma and "
    "beta undo both.",
    "With the biased moments mu and sigma^2 of m values: mean 0, variance $sigma^2 / (sigma^2 + eps)$, no value beyond "
    "$sqrt(m - 1)$; two values become -1 and +1 and, but for eps, pass on no gradient; gamma and beta can undo both "
    "steps.",
    run,
    {"Make eps 0.1: from which sigma on is the variance still 1?", "eps=0.1", "at sigma = 0.001", 0.99e-5, 1.01e-5,
     "The curve moves to the right: one half is at $sigma = sqrt(0.1)$ = 0.32. Features with a smaller spread nearly "
     "vanish: at sigma = 0.001 the variance is 0.00001."}};

}  // namespace evenkeel::lab
