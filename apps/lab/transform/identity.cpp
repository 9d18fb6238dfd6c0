// gamma and beta learn to undo the normalisation if that is best: claim A1.10.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double mean = 3, spread = 2, lr = 0.1;
  static void each(auto& o, auto&& option) {
    option("mean", o.mean, Range{-100, 100}, "mean of the data");
    option("spread", o.spread, Range{0.001, 100}, "their deviation");
    option("lr", o.lr, Range{0, 0.9}, "learning rate");
  }
};

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  constexpr int steps = 200;
  const Tensor x = Tensor::normal({256, 1}, random, p.mean, p.spread);
  const Normalized moments = standardise(x);
  const double s = std::sqrt(moments.var.item() + 1e-5), mu = moments.mean.item();
  Tensor gamma = ones(1).track(), beta = zeros(1).track();
  const std::vector<double> index = grid(0, steps, steps + 1);
  Series scale{"gamma", index, {}, 1}, shift{"beta", index, {}, 2};
  double loss = 0;
  for (int t = 0; t <= steps; ++t) {
    scale.y.push_back(gamma.item()), shift.y.push_back(beta.item());
    const Tensor error = mean(square(batch_norm(x, gamma, beta).y - x));
    loss = error.item();
    const Grads d = grad(error, {gamma, beta});
    gamma.copy_from(gamma.detach() - d[0].detach() * p.lr);
    beta.copy_from(beta.detach() - d[1].detach() * p.lr);
  }
  lab.equal("A1.10", fmt::format("gamma after {} steps of learning y = x: $sqrt(sigma^2 + eps)$", steps), s,
            scale.y.back());
  lab.equal("A1.10", "beta: mu", mu, shift.y.back());
  lab.equal("A1.10", "what is left of the mean squared error", 0, loss);
  lab.figure(
      {{.title = "Learning the identity",
        .x_label = fmt::format("step (lr {})", p.lr),
        .y_label = "parameter",
        .series = {scale, shift,
                   curve(
                       "predicted: sqrt(sigma^2 + eps)", index, [=](double) { return s; }, 0, true),
                   curve(
                       "predicted: mu", index, [=](double) { return mu; }, 7, true)}}},
      {.shows = fmt::format("gamma and beta of one feature (no unit) against the step of gradient descent on the "
                            "squared difference of output and input. The data have mean {} and deviation {}.",
                            p.mean, p.spread),
       .predicted = "They go to the values that undo the normalisation.",
       .seen = fmt::format("They end at {:.4f} and {:.4f}.", scale.y.back(), shift.y.back())});
}

}  // namespace

extern const Experiment identity{
    "identity",
    "The transform",
    "Do gamma and beta learn the identity if it is best?",
    "Yes: gradient descent finds the scale and the shift that restore the input.",
    "Trained to restore x, $gamma$ goes to $sqrt(sigma^2 + eps)$ and $beta$ to $mu$, and the error to 0.",
    run,
    {"Let the data have a spread of 0.01: what does gamma learn now?", "spread=0.01", "gamma after", 0.009, 0.012,
     "0.01: it undoes the magnification of step 2. The network decides whether the feature is noise or signal."}};

}  // namespace evenkeel::lab
