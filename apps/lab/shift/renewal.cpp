// Batch normalisation renews mean and variance after every layer, for every batch, for any weights: claims A2.3, A2.4.
#include "apps/lab/lab.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/model/inspect.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/recalibrate.h"
#include "optim/sgd.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t batch = 32;
  double lr = 0.5;
  static void each(auto& o, auto&& option) {
    option("batch", o.batch, Range{2, 1024}, "examples in a batch");
    option("lr", o.lr, Range{0, 100}, "learning rate");
  }
};

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t m = p.batch;
  const BatchNormOptions bare{.affine = false};
  Sequential net{Dense(6, 8, random), BatchNorm(8, bare), Relu(), Dense(8, 8, random), BatchNorm(8, bare)};
  Sgd sgd(parameters(net), {.lr = p.lr});
  double worst_mean = 0, worst_var = 0, worst_product = 0, product = 0;
  Series in_mean{"mean, before", {}, {}, 5}, in_deviation{"standard deviation, before", {}, {}, 0},
      out_mean{"mean, after", {}, {}, 3}, out_deviation{"standard deviation, after", {}, {}, 1};
  for (int t = 0; t < 100; ++t) {
    const Tensor x = Tensor::normal({m, 6}, random, 1, 2), target = tanh(Tensor::normal({m, 8}, random)) * 3;
    inspect(net, x, Mode::probe, [&](const LayerIO& s) {
      if (!dynamic_cast<BatchNorm*>(&s.layer)) return;
      Population in, out;
      in.add(s.x), out.add(s.y);
      const Tensor products =
          (square(sum_rows(s.y)) - sum_rows(square(s.y))) / static_cast<double>(m * (m - 1));  // mean of two examples'
      for (int64_t c = 0; c < 8; ++c) {
        const double var = in.var().data()[c], kept = var / (var + 1e-5);
        worst_mean = std::max(worst_mean, std::abs(out.mean().data()[c]));
        worst_var = std::max(worst_var, std::abs(out.var().data()[c] - kept));
        worst_product = std::max(worst_product, std::abs(products.data()[c] + kept / static_cast<double>(m - 1)));
      }
      if (s.name != "4") return;
      product = products.data()[0];
      for (Series* series : {&in_mean, &in_deviation, &out_mean, &out_deviation}) series->x.push_back(t);
      in_mean.y.push_back(in.mean().data()[0]), in_deviation.y.push_back(std::sqrt(in.var().data()[0]));
      out_mean.y.push_back(out.mean().data()[0]), out_deviation.y.push_back(std::sqrt(out.var().data()[0]));
    });
    sgd.step(grad(mean(square(net.forward(x, Mode::train) - target)), values(parameters(net))));
  }
  lab.equal("A2.4", "two layers, 100 steps of training: the largest mean after step 2", 0, worst_mean, 1e-13);
  lab.equal("A2.4", "the largest distance of a variance from $sigma^2 / (sigma^2 + eps)$", 0, worst_var, 1e-13);
  lab.equal("A2.3", "and of the mean product of two examples from $- sigma^2 / (sigma^2 + eps) / (m-1)$", 0,
            worst_product, 1e-13);
  lab.observed("A2.3", "mean product of two examples of a unit of the second layer, last batch",
               fmt::format("{:.4g}: $-1 / (m - 1)$", -1 / static_cast<double>(m - 1)), {product});
  lab.figure(
      {{.title = "Before and after batch normalisation",
        .x_label = fmt::format("step of training (lr {}, batches of {})", p.lr, m),
        .y_label = "moments of one unit",
        .series = {in_mean, in_deviation, out_mean, out_deviation}}},
      {.shows = "Mean and standard deviation over the batch (no units) of one unit of the second layer, before "
                "and after batch "
                "normalisation, against the training step.",
       .predicted = "For any input the output has mean 0 and a variance of $sigma^2 / (sigma^2 + eps)$, at every step.",
       .seen = fmt::format("The mean after it is never further from 0 than {:.0e}.", worst_mean)});
}

}  // namespace

extern const Experiment renewal{
    "renewal",
    "Internal covariate shift",
    "Does batch normalisation standardise at every layer, at every step?",
    "Yes, exactly, for any weights.",
    "Yes, exactly: mean 0, variance $sigma^2 / (sigma^2 + eps)$, and a mean product of two examples of $- sigma^2 / "
    "(sigma^2 + eps) / (m - 1)$, for any weights.",
    run,
    {"Take batches of 4: are two examples still nearly independent after batch norm?", "batch=4",
     "mean product of two examples", -0.334, -0.32,
     "No. The four values must sum to 0, so their mean product is -1/3. In a batch of 32 it is -1/31."}};

}  // namespace evenkeel::lab
