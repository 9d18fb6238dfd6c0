// Common mistakes, each beside the correct result: claims A1.1, A6, A11, and reports of users.
#include "apps/lab/lab.h"
#include "layers/dense.h"
#include "layers/model/fold.h"
#include "layers/norm/batch_norm.h"
#include "layers/sequential.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double weight = 0.9;
  static void each(auto& o, auto&& option) {
    option("weight", o.weight, Range{0.01, 0.99}, "the weight that the new value gets by mistake; meant was 0.1");
  }
};

// Variance of float data in float, by E[x^2] - E[x]^2 and by two passes.
std::pair<double, double> float_variances(double at, const std::vector<double>& draws) {
  float sum = 0, squares = 0, n = static_cast<float>(draws.size()), around = 0;
  for (double d : draws) {
    const float x = static_cast<float>(at + d);
    sum += x, squares += x * x;
  }
  const float mean = sum / n;
  for (double d : draws) {
    const float x = static_cast<float>(at + d) - mean;
    around += x * x;
  }
  return {squares / n - mean * mean, around / n};
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Tensor x = Tensor::normal({16, 3}, random, 2, 3);
  BatchNorm norm(3);
  for (int i = 0; i < 3; ++i) norm.forward(Tensor::normal({16, 3}, random, 2, 3), Mode::train);

  // 1. The variance by one pass.
  const std::vector<double> draws = Tensor::normal({4096}, random).values();
  const double truth = float_variances(0, draws).second;
  std::vector<double> means, one_pass, two_pass;
  for (double at : {10., 100., 1000., 4096., 1e4, 1e5}) {
    const auto [one, two] = float_variances(at, draws);
    means.push_back(at), one_pass.push_back(one), two_pass.push_back(two);
  }
  lab.between("A11", "float, 4096 draws of mean 10 and variance 1: $|E[x^2] - E[x]^2 - variance|$, still fine", 0, .05,
              {std::abs(one_pass[0] - truth)});
  lab.between("A11", "mean 10,000: it is off by more than the variance (NumPy 15)", 1, INFINITY,
              {std::abs(one_pass[4] - truth)});
  lab.between("A11", "mean 10,000: two passes, relative error (float spaces its numbers by 0.001 there)", 0, 2e-3,
              {std::abs(two_pass[4] / truth - 1)});
  double off = 0;
  for (double c : {0., 1., 100., 1e6})
    off = std::max(off, std::abs(mean(batch_norm(Tensor::full({64, 1}, c), ones(1), ones(1) * .25).y).item() - .25));
  lab.equal("A11", "a constant channel, 0, 1, 100 or 1e6, becomes beta to the bit (Caffe, issue 3963: -0.0048)", 0, off,
            0);

  // 2. The unbiased variance in the normaliser.
  const Normalized right = standardise(x, 0);
  const Tensor unbiased = scale_per_channel(add_per_channel(x, -right.mean), rsqrt(right.var * (16. / 15)));
  lab.equal("A1.1", "the unbiased variance in the normaliser: what comes out has variance $(m-1)/m$", 15. / 16,
            mean(square(unbiased)).item(), 1e-13);
  // 3. The axes of another layout: channels are then normalised together.
  const Tensor images = Tensor::normal({2, 4, 4, 3}, random, 1, 2),
               wrong_axes = standardise(reshape(images, {6, 16})).y;
  lab.between("A1.7", "statistics over the wrong axes: mean change of the output", .05, INFINITY,
              {mean(abs(reshape(wrong_axes, images.shape()) - standardise(images).y)).item()});
  // 4. Training mode at test time: the prediction depends on the rest of the batch.
  const Tensor alone = norm.forward(x, Mode::eval), together = norm.forward(x, Mode::probe);
  lab.between("A6.7", "eval() forgotten: mean change of the output", 1e-3, INFINITY,
              {mean(abs(alone - together)).item()});
  // 5. A reversed momentum: the average is the last batch.
  BatchNorm flipped(1, {.new_weight = p.weight}), meant(1, {.new_weight = .1});
  Sample last, long_run;
  for (int t = 0; t < 2000; ++t) {
    const Tensor batch = Tensor::normal({8, 1}, random);
    flipped.forward(batch, Mode::train), meant.forward(batch, Mode::train);
    if (t > 100) last.add(flipped.running_mean.item()), long_run.add(meant.running_mean.item());
  }
  lab.between(
      "A6.5",
      "0.9 meant as the weight of the old value: the running mean's variance over that of 0.1 ($a/(2-a)$: 15.5)", 12,
      19, {last.variance() / long_run.variance()});
  // 6. Averages that move when they must not.
  const std::vector<double> before = norm.running_mean.values();
  norm.forward(x, Mode::probe), norm.forward(x, Mode::eval);
  lab.same("A6.7", "looking, recomputing and testing leave the averages alone", before, norm.running_mean.values(), 0);
  BatchNorm poisoned = norm;
  Tensor nan = x.clone();
  nan.mutable_data()[0] = NAN;
  poisoned.forward(nan, Mode::train);
  lab.same("A6", "a batch that is not finite never enters them", before, poisoned.running_mean.values(), 0);
  // 7. Dropout before batch norm: the variance in training is not that in inference.
  Sample dropped;
  for (int i = 0; i < lab.quick_or_full(100'000, 1'000'000); ++i)
    dropped.add(std::pow(random.below(2) ? 2 * random.normal() * 3 + 4 - 2 : -2, 2));
  lab.expected("A6", "dropout 0.5 before, on mean 2, variance 9: the training variance is 22 and inference's 9",
               (4 + 9) / .5 - 4, dropped);
  // 8. Folding with the bias forgotten.
  Sequential net(Dense(3, 4, random), BatchNorm(4));
  for (int t = 0; t < 5; ++t) net.forward(x, Mode::train);
  const Tensor as_was = net.forward(x, Mode::eval).detach();
  fold_batch_norms(net);
  lab.same("A6.7", "folded into the weights before it: the same outputs", as_was, net.forward(x, Mode::eval).detach(),
           1e-13);
  // 9. After the softmax, batch norm's outputs are not probabilities.
  const std::vector<double> normalised = standardise(exp(log_softmax(x))).y.values();
  lab.between("A1.2", "batch norm after the softmax: the smallest 'probability'", -INFINITY, -1e-3,
              {*std::min_element(normalised.begin(), normalised.end())});
  lab.figure(
      {{.title = "A variance computed in one pass",
        .x_label = "mean of the data (float, variance 1)",
        .y_label = "variance found",
        .series = {{"E[x^2] - E[x]^2", means, one_pass, 1},
                   {"two passes", means, two_pass, 2},
                   curve(
                       "truth", means, [=](double) { return truth; }, 0, true)},
        .log_x = true}},
      {.shows = "The variance of 4096 float numbers of variance 1, computed in float by two formulas "
                "(vertical), against their mean "
                "(horizontal, powers of ten).",
       .predicted = "$E[x^2] - E[x]^2$ subtracts two numbers of the size of the mean squared, and loses all "
                    "digits once that is $2^24$ times "
                    "the variance; it can even be negative.",
       .seen = fmt::format("With a mean of 10,000 one pass finds {:.3g}, two passes find {:.5f}; the truth is {:.5f}.",
                           one_pass[4], two_pass[4], truth)});
}

}  // namespace

extern const Experiment mistakes{
    "mistakes",
    "Hands-on practices",
    "What do common mistakes cost?",
    "Each a known amount: at a mean of 10,000 a variance in one pass is off by more than itself, and a reversed "
    "momentum gives the running mean 15 times the variance.",
    "A one-pass variance, the unbiased one in the normaliser, wrong axes, a forgotten eval mode, a reversed momentum, "
    "averages that move during a measurement, dropout before batch norm, and statistics after the softmax: each has a "
    "size "
    "that can be computed.",
    run,
    {"Give the new value half of the weight instead of 0.9: how much noisier than intended is the running mean?",
     "weight=0.5", "0.9 meant as", 5, 8,
     "Six times, a/(2-a) over 0.1/1.9: 6.3. With 0.9 it is 15.5 times. `evenkeel doctor` finds the mistakes that leave "
     "a trace in a trained network."}};

}  // namespace evenkeel::lab
