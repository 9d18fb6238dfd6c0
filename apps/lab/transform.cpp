// What batch normalisation computes, to the digit: chapter "the transform", claims A1.1 to A1.9.
#include "apps/lab/lab.h"
#include "core/normalize.h"
#include "core/reduce.h"

namespace evenkeel::lab {
namespace {

Tensor normalised(const Tensor& x, double gamma = 1, double beta = 0, double eps = 1e-5) {
  return batch_norm(x, Tensor::full({x.channels()}, gamma), Tensor::full({x.channels()}, beta), {.eps = eps}).y;
}
double variance(const Tensor& x) { return mean(square(x - mean(x).item())).item(); }

void run(Lab& lab) {
  Random random(1);
  const Tensor four = Tensor::of({4, 1}, {1, 2, 3, 4}), one = Tensor::full({1}, 1), zero = Tensor::zeros({1});
  const Normalized n = batch_norm(four, one, zero);
  lab.equal("A1.1", "the mean of 1, 2, 3, 4", 2.5, n.mean.item());
  lab.equal("A1.1", "their variance in the normaliser, with 1/m (with 1/(m-1): 1.6667)", 1.25, n.var.item());

  // Step 2: mean 0, and a variance of sigma^2 / (sigma^2 + eps), over eight decades of sigma.
  const std::vector<double> exponents = grid(-4, 4, 33);
  const Tensor draws = Tensor::normal({256, 1}, random), unit = normalised(draws, 1, 0, 0);
  std::vector<double> predicted, measured;
  double worst_mean = 0;
  for (double e : exponents) {
    const double var = std::pow(10, 2 * e);
    const Tensor y = normalised(unit * std::sqrt(var));
    predicted.push_back(var / (var + 1e-5));
    measured.push_back(variance(y));
    worst_mean = std::max(worst_mean, std::abs(mean(y).item()));
  }
  const int64_t points = static_cast<int64_t>(exponents.size());
  lab.equal("A1.2", "mean after step 2, sigma from 1e-4 to 1e4, the largest", 0, worst_mean);
  lab.same("A1.2", "variance after step 2 is sigma^2 / (sigma^2 + eps), the same sigmas", Tensor::of({points}, predicted), Tensor::of({points}, measured));
  const double small = variance(normalised(unit * 1e-3)), large = variance(normalised(unit * 1e3));
  lab.only_if("A1.2", "after step 2 the variance is 1", "sigma^2 is far above eps = 1e-5", fmt::format("{:.4f} at sigma 0.001, {:.10f} at 1000", small, large),
              std::abs(large - 1) < 1e-9, std::abs(small - 1) < 1e-9);

  // No value of m can be further than sqrt(m - 1) from the mean; one outlier among equals gets there.
  double outlier = 0, farthest = 0;
  for (int64_t m : {3, 8, 64}) {
    Tensor x = Tensor::zeros({m, 1});
    *x.data() = 1;
    outlier = std::max(outlier, std::abs(normalised(x, 1, 0, 0).data()[0] - std::sqrt(m - 1.0)));
    for (int i = 0; i < 200; ++i) farthest = std::max(farthest, abs(normalised(exp(Tensor::normal({m, 1}, random, 0, 3)))).data()[0] / std::sqrt(m - 1.0));
  }
  lab.equal("A1.3", "one outlier among equals stands at sqrt(m-1)", 0, outlier);
  lab.between("A1.3", "|xhat| / sqrt(m-1), heavy-tailed batches, the largest", 0, 1, {farthest});

  // Two values: +-1 whatever they are, and a gradient that only eps keeps from zero.
  Tensor pair = Tensor::of({2, 1}, {0.3, 1.9}).track();
  const Tensor y = batch_norm(pair, one, zero).y, g = grad(y, {pair}, {.cotangent = Tensor::of({2, 1}, {1, 0})})[0];
  lab.same("A1.4", "a batch of two becomes -1, +1 (eps = 0)", Tensor::of({2, 1}, {-1, 1}), normalised(pair.detach(), 1, 0, 0));
  const double s2 = 0.64 + 1e-5;
  lab.equal("A1.4", "and its Jacobian is eps / (2 s^3): it cannot learn", 1e-5 / (2 * s2 * std::sqrt(s2)), g.data()[0], 1e-14);

  // Step 3 undoes step 2 if it has to; and its gradients are sums.
  const Tensor x = Tensor::normal({6, 3}, random, 2, 3);
  Tensor gamma = Tensor::normal({3}, random).track(), beta = Tensor::normal({3}, random).track();
  const Tensor cotangent = Tensor::normal({6, 3}, random);
  const Normalized step3 = batch_norm(x, gamma, beta);
  const Grads d = grad(step3.y, {gamma, beta}, {.cotangent = cotangent});
  lab.same("A1.5", "dL/dgamma = sum of g xhat", sum_rows(cotangent * normalised(x)), d[0].detach());
  lab.same("A1.5", "dL/dbeta = sum of g", sum_rows(cotangent), d[1].detach());
  lab.same("A1.6", "gamma = sqrt(sigma^2 + eps), beta = mu give back x", x, batch_norm(x, sqrt(step3.var + 1e-5), step3.mean).y.detach());

  // Images: one pair of statistics a channel, over all images and pixels.
  const Tensor images = Tensor::normal({4, 5, 5, 3}, random, 1, 2), y4 = normalised(images);
  lab.same("A1.7", "on (N, H, W, C) it is the dense one on (N H W, C)", normalised(reshape(images, {100, 3})), reshape(y4, {100, 3}));
  double flips = 0;
  for (int64_t i = 3; i < images.size(); ++i) flips += (images.data()[i] < images.data()[i - 3]) != (y4.data()[i] < y4.data()[i - 3]);
  lab.equal("A1.8", "neighbouring pixels whose order changes", 0, flips, 0);

  // Which axis: batch norm forgets a channel's affine map, layer norm an example's; neither forgets the other's.
  const Tensor z = Tensor::normal({8, 5}, random), g5 = Tensor::full({5}, 1), b5 = Tensor::zeros({5}), a = exp(Tensor::normal({5}, random)), r = exp(Tensor::normal({8}, random));
  const auto batch = [&](const Tensor& t) { return batch_norm(t, g5, b5, {.eps = 0}).y; };
  const auto layer = [&](const Tensor& t) { return layer_norm(t, g5, b5, 0); };
  const Tensor by_channel = add_per_channel(scale_per_channel(z, a), a), by_example = z * spread_channels(r, z.shape()) + spread_channels(r, z.shape());
  lab.same("A1.9", "batch norm forgets an affine map of each channel", batch(z), batch(by_channel));
  lab.same("A1.9", "layer norm forgets an affine map of each example", layer(z), layer(by_example));
  lab.between("A1.9", "batch norm does not forget the example's: mean change", 0.05, INFINITY, {mean(abs(batch(z) - batch(by_example))).item()});
  const Tensor single = Tensor::normal({1, 4, 4, 3}, random), g3 = Tensor::full({3}, 1), b3 = Tensor::zeros({3});
  lab.same("A1.9", "batch norm of one image is instance norm (group norm with C groups)", group_norm(single, 3, g3, b3), batch_norm(single, g3, b3).y);
  lab.same("A1.9", "layer norm is group norm with one group", group_norm(images, 1, g3, b3), layer_norm(images, g3, b3));

  lab.figure({{.title = "Variance after step 2", .x_label = "log10 of the batch's standard deviation", .y_label = "variance of xhat",
               .series = {{"predicted: sigma^2 / (sigma^2 + eps)", exponents, predicted, 0, true}, {"measured", exponents, measured, 1}}}},
             "How nearly the normalised values have variance 1, against the standard deviation sigma of the batch (both without unit; sigma on a logarithmic "
             "axis, eps = 1e-5). Below sigma = sqrt(eps) = 0.003 the constant under the root wins, and what comes out is no longer standardised.");
}

}  // namespace

extern const Experiment transform{
    "transform", "The transform", "What exactly do the three steps compute?",
    "With the biased moments mu and sigma^2 of m values: mean 0, variance sigma^2 / (sigma^2 + eps), no value beyond sqrt(m - 1); gamma and beta can undo it; "
    "over images it is the same per channel over all pixels.",
    run, "Set eps to 0.1 in normalised() and see from which sigma on the output still has variance 1; or take m = 1 and read the error."};

}  // namespace evenkeel::lab
