// Test data that differ from the population of the running averages: claims A7.1 and A7.3.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double mean = 1.5;
  double spread = 0.4;
  static void each(auto& o, auto&& option) {
    option("mean", o.mean, Range{-100, 100}, "mean of the test data; the running one is 0.2");
    option("spread", o.spread, Range{0, 100}, "their deviation; the running one is 0.8");
  }
};

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const double root = std::sqrt(.64 + 1e-5);
  const Tensor one = ones(1),
               far = Tensor::normal({lab.quick_or_full(200'000, 2'000'000), 1}, random, p.mean, p.spread);
  const double moved = 1.3 * (p.mean - .2) / root;
  Sample out, squares;
  for (double v : batch_norm_inference(far, one * .2, one * .64, one * 1.3, one * .5).values())
    out.add(v), squares.add(std::pow(v - .5 - moved, 2));
  if (lab.standard())
    lab.equal("A7.1", "the shift $gamma (m_test - mu) / sqrt(sigma^2 + eps)$: from .2 to 1.5, sigma .8, gamma 1.3",
              2.11248, 1.3 * 1.3 / root, 1e-5);
  lab.expected("A7.1", "measured: mean of y (beta = 0.5)", .5 + moved, out);
  lab.expected("A7.1",
               fmt::format("variance of y, $sigma_test$ {}: $gamma^2 sigma_test^2 / (sigma^2 + eps)$", p.spread),
               1.69 * p.spread * p.spread / (.64 + 1e-5), squares);
  const Tensor x = Tensor::normal({16, 5}, random), delta = Tensor::normal({5}, random),
               w = Tensor::normal({4, 5}, random), gamma = Tensor::normal({4}, random);
  const Tensor shifted = add_per_channel(x, delta), var = Tensor::full({4}, 2);
  const auto inference = [&](const Tensor& t) {
    return batch_norm_inference(matmul(t, w, false, true), zeros(4), var, gamma, zeros(4));
  };
  const auto training = [&](const Tensor& t) { return batch_norm(matmul(t, w, false, true), gamma, zeros(4)).y; };
  const Tensor shift = reshape(matmul(reshape(delta, {1, 5}), w, false, true), {4}) * gamma * (1 / std::sqrt(2 + 1e-5));
  lab.same("A7.3", "linear layer, $x + δ$: inference moves by $(gamma W δ) / sqrt(sigma^2 + eps)$",
           add_per_channel(inference(x), shift), inference(shifted), 1e-13);
  lab.same("A7.3", "training does not move", training(x), training(shifted), 1e-12);

  const std::vector<double> means = grid(-2, 2, 21);
  const auto mean_output = [&](double m_test) {
    return mean(batch_norm_inference(Tensor::normal({2000, 1}, random, m_test, p.spread), one * .2, one * .64,
                                     one * 1.3, one * .5))
        .item();
  };
  const auto in_training = [&](double m_test) {
    return mean(batch_norm(Tensor::normal({2000, 1}, random, m_test, p.spread), one * 1.3, one * .5).y).item();
  };
  lab.figure({{.title = "Where the mean of the output goes",
               .x_label = "mean of the test data (the running one is 0.2)",
               .y_label = "mean of y",
               .series = {curve(
                              "predicted, inference: beta + gamma (m - mu) / s", means,
                              [=](double m) { return .5 + 1.3 * (m - .2) / root; }, 0, true),
                          curve("measured, inference", means, mean_output, 1),
                          curve("measured, the batch's own statistics", means, in_training, 2)}}},
             {.shows = "The mean of batch norm's output (vertical, no unit) against the mean of the test data "
                       "(horizontal), for running "
                       "statistics of mean 0.2 and deviation 0.8, gamma = 1.3 and beta = 0.5.",
              .predicted = "Inference follows the data with the slope gamma / s; with the batch's own statistics the "
                           "mean is always beta.",
              .seen = fmt::format("For data of mean {} inference gives {:.3f} on average, {:.3f} more than beta.",
                                  p.mean, out.mean(), out.mean() - .5)});
}

}  // namespace

extern const Experiment shift{
    "shift",
    "Inference",
    "What if the test data are not like the training data?",
    "Inference passes the difference on: its output shifts by gamma / s times the shift of the mean.",
    "Inference is off by $gamma (m_test - mu) / sqrt(sigma^2 + eps)$, and scales the variance by $sigma_test^2 / "
    "(sigma^2 + eps)$.",
    run,
    {"Let the spread of the test data shrink to 0.01: what is inference's output?", "spread=0.01", "variance of y",
     0.00026, 0.00027,
     "The variance of y falls to 0.00026: the running statistics show the change. The batch's own would hide it, since "
     "they make the variance 1 again."}};

}  // namespace evenkeel::lab
