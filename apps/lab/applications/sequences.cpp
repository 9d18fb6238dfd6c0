// Sequences: padding in the statistics, masks, and statistics for each time step: claims A10.2 and A3.5.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double pad = 0;
  static void each(auto& o, auto&& option) {
    option("pad", o.pad, Range{-100, 100}, "what sequences are filled up with");
  }
};

// Draws with exactly this mean and variance.
Tensor exactly(int64_t n, double mean, double var, Random& random) {
  const Tensor x = Tensor::normal({n, 1}, random);
  return batch_norm(x, Tensor::full({1}, std::sqrt(var)), Tensor::full({1}, mean), 0).y;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const double mu = 3, var = 2;
  const int64_t n = 1000;
  const auto mean_law = [&](double share) { return share * mu + (1 - share) * p.pad; };
  const auto variance_law = [&](double share) {
    return share * var + share * (1 - share) * (mu - p.pad) * (mu - p.pad);
  };
  std::vector<double> shares, means, variances;
  Tensor last;
  for (int tenth = 1; tenth <= 10; ++tenth) {
    const double share = tenth / 10.0;
    const int64_t valid = n * tenth / 10;
    const Tensor real_steps = exactly(valid, mu, var, random);
    Tensor padded = Tensor::full({n, 1}, p.pad), mask = Tensor::zeros({n});
    std::copy_n(real_steps.data(), valid, padded.mutable_data());
    std::fill_n(mask.mutable_data(), valid, 1.0);
    const Normalized all = batch_norm(padded, Tensor::full({1}, 1), Tensor::zeros({1}));
    shares.push_back(share);
    means.push_back(all.mean.item());
    variances.push_back(all.var.item());
    if (tenth == 3 || tenth == 5) {
      const std::string steps = fmt::format("{} % real steps", tenth * 10);
      lab.equal("A10.2", steps + " of mean 3, variance 2: the mean becomes $p mu + (1 - p) pad$", mean_law(share),
                all.mean.item());
      lab.equal("A10.2", steps + ": the variance becomes $p sigma^2 + p (1 - p) (mu - pad)^2$", variance_law(share),
                all.var.item());
      BatchNorm masked(1, {.unbiased = false}), plain(1, {.unbiased = false});
      masked.mask = mask;
      const Tensor y = masked.forward(padded, Mode::train), expected = plain.forward(real_steps, Mode::train);
      lab.equal("A10.2", steps + ", masked: the mean of the real ones", mu, masked.running_mean.item());
      lab.equal("A10.2", steps + ", masked: their variance", var, masked.running_var.item());
      lab.same("A10.2", steps + ", masked: their outputs are those without padding", expected.detach(),
               Tensor::of({valid, 1}, {y.data(), y.data() + valid}), 1e-12);
    }
  }
  // Steps whose mean drifts: one pair of statistics for all steps leaves the drift, one for each removes it.
  const int64_t steps = 12, sequences = 64;
  Tensor drifting = Tensor::normal({sequences, steps}, random);
  for (int64_t i = 0; i < sequences * steps; ++i) drifting.mutable_data()[i] += 0.5 * static_cast<double>(i % steps);
  const Tensor pooled =
      reshape(batch_norm(reshape(drifting, {sequences * steps, 1}), Tensor::full({1}, 1), Tensor::zeros({1})).y,
              {sequences, steps});
  const Tensor by_step = batch_norm(drifting, Tensor::full({steps}, 1), Tensor::zeros({steps})).y;
  lab.same("A10.2", "statistics for each time step: every step's mean is 0", Tensor::zeros({steps}), mean_rows(by_step),
           1e-13);
  lab.between(
      "A10.2",
      "pooled statistics: deviations between the first and the last step's means, $5.5 / sqrt(1 + 143/48)$ +- 4 s.e.",
      2.4, 3.11, {mean_rows(pooled).data()[steps - 1] - mean_rows(pooled).data()[0]});

  // The gradient that a tanh recurrence passes back over 28 steps.
  Chart recurrent{.title = "Gradient left over time",
                  .x_label = "time steps back",
                  .y_label = "share of the gradient that is left",
                  .series = {},
                  .log_y = true};
  int color = 0;
  for (double gamma : {0.1, 0.3, 1.0}) {
    const double each = gaussian_mean([=](double z) { return 1 - std::tanh(gamma * z) * std::tanh(gamma * z); });
    recurrent.series.push_back(curve(
        fmt::format("gamma = {}", gamma), grid(0, 28, 29), [=](double t) { return std::pow(each, t); }, color++, true));
    if (gamma != 0.3)
      lab.equal("A3.5", fmt::format("left after 28 steps, gamma = {}", gamma), gamma < 1 ? .76 : 8e-7,
                std::pow(each, 28), gamma < 1 ? 5e-3 : 1e-7);
  }
  lab.figure(
      {{.title = "Padding in the statistics",
        .x_label = "share of steps that are real",
        .y_label = "moment (mean 3, variance 2 without padding)",
        .series = {curve("predicted mean: p mu + (1 - p) pad", shares, mean_law, 0, true),
                   {"measured mean", shares, means, 0},
                   curve("predicted variance: p sigma^2 + p (1 - p) (mu - pad)^2", shares, variance_law, 1, true),
                   {"measured variance", shares, variances, 1}}},
       recurrent},
      {.shows =
           fmt::format("Left: the mean and variance (no units) of a batch whose sequences are filled with {} up to "
                       "one length, against the share of real steps. Right: the gradient that a recurrent tanh layer "
                       "after batch norm passes back, against the number of time steps.",
                       p.pad),
       .predicted =
           "Left $p mu + (1 - p) pad$ and $p sigma^2 + p (1 - p) (mu - pad)^2$, unless a mask keeps the padding "
           "out. Right the "
           "gradient is multiplied by E "
           "tanh'(gamma z) at every step, which is why Cooijmans et al. start gamma at 0.1.",
       .seen = fmt::format("At half padding the mean is {:.4g} instead of 3 and the variance {:.4g} instead of "
                           "2; over 28 steps {:.2g} of "
                           "the gradient is left with gamma = 0.1, {:.0e} with 1.",
                           means[4], variances[4], recurrent.series[0].y.back(), recurrent.series[2].y.back())});
}

}  // namespace

extern const Experiment sequences{
    "sequences",
    "Applications",
    "What does padding do to the statistics of sequences?",
    "It moves the mean and the variance by a known amount; only a mask restores both.",
    "With a share p of real steps the mean becomes $p mu$ and the variance $p sigma^2 + p (1 - p) mu^2$; a mask "
    "restores both exactly. Drifting steps need statistics of their own.",
    run,
    {"Pad with the mean instead of zero: the mean is right, but is the variance?", "pad=3",
     "50 % real steps: the variance", 0.9999, 1.0001,
     "It is $p sigma^2$: half of the truth at half padding. Only a mask is right."}};

}  // namespace evenkeel::lab
