// Does batch normalisation smooth the loss? The Hessian's largest eigenvalue, usable learning rates, exploding gradients: claims A5, A2.7.
#include "apps/lab/train.h"
#include "core/matmul.h"
#include "core/normalize.h"
#include "core/reduce.h"
#include "optim/curvature.h"

namespace evenkeel::lab {
namespace {

constexpr const char* mlp = "mlp:100-100-100";

struct Run {
  std::vector<double> steps, sharpness;  // the largest eigenvalue at these steps
  double accuracy = 0;
};
Run sharpness(const std::string& norm, const std::string& activation, uint64_t seed, double lr, const std::vector<int64_t>& at, int64_t hessian_images, const DataSplit& data) {
  const Normalization pixels = measure(data.train);
  const auto network = small_network(mlp, norm, activation, seed);
  const Batch fixed = first(data.train, pixels, hessian_images);
  Batches batches(data.train, pixels, 64, seed);
  std::vector<Tensor> w = values(parameters(*network));
  Run run;
  Random random(seed);
  for (size_t i = 0; i < at.size(); ++i) {
    train(*network, batches, {.lr = lr}, i ? at[i] - at[i - 1] : at[i]);
    const auto loss = [&] { return cross_entropy(network->forward(fixed.x, Mode::probe), fixed.labels); };
    run.steps.push_back(static_cast<double>(at[i]));
    run.sharpness.push_back(largest_eigenvalue(loss, w, random, {.max_steps = 30, .tolerance = 2e-2}).value);
  }
  run.accuracy = accuracy(*network, first(data.test, pixels, 2000));
  return run;
}

// E h h' of d ReLU units: its largest eigenvalue by the library, and whether gradient descent at 2 / lambda times `factor` stays bounded.
void one_layer(Lab& lab, Random& random) {
  const int64_t d = 100, n = lab.quick_or_full(4000, 20000);
  const Tensor h = relu(Tensor::normal({n, d}, random)), normal = batch_norm(h, Tensor::full({d}, 1), Tensor::zeros({d})).y;
  const double predicted = .5 - 1 / (2 * M_PI) + d / (2 * M_PI);
  lab.equal("A2.7", "lambda_max of E hh', 100 ReLUs: 0.3408 + 0.1592 d", 16.26, predicted, 1e-3);
  Tensor w = Tensor::normal({d, 1}, random).track();
  const auto top = [&](const Tensor& x) { return largest_eigenvalue([&] { return mean(square(matmul(x, w))) * 0.5; }, {w}, random, {.tolerance = 1e-8}).value; };
  const double plain = top(h), normalised = top(normal), noise = std::pow(1 + std::sqrt(static_cast<double>(d) / static_cast<double>(n)), 2);
  lab.between("A2.7", fmt::format("measured on {} draws", n), predicted * .97, predicted * 1.03, {plain});
  lab.between("A2.7", fmt::format("behind batch norm 1; of so many draws (1 + sqrt(d/n))^2 = {:.2f}", noise), noise * .93, noise * 1.05, {normalised});
  const auto descends = [&](double factor) {
    Tensor v = Tensor::full({d, 1}, 1).track();
    for (int t = 0; t < 200; ++t) v.copy_from(v.detach() - grad(mean(square(matmul(h, v))) * 0.5, {v})[0].detach() * (factor * 2 / plain));
    return dot(v.detach(), v.detach()).item() < 1e3 * d;
  };
  lab.equal("A2.7", "gradient descent at 0.95 of the rate 2 / lambda stays bounded", 1, descends(.95), 0);
  lab.equal("A2.7", "at 1.05 of it, not", 0, descends(1.05), 0);
}

// The growth of the squared gradient, per layer, in a network of random weights with batch norm at every layer.
double explosion(int64_t batch, Tensor (*f)(const Tensor&), int64_t width, Random& random) {
  const int layers = 12;
  std::vector<Tensor> z{Tensor::normal({batch, width}, random).track()};
  for (int l = 0; l < layers; ++l) {
    const Tensor w = Tensor::normal({width, width}, random, 0, 1 / std::sqrt(static_cast<double>(width)));
    z.push_back(matmul(f(batch_norm(z.back(), Tensor::full({width}, 1), Tensor::zeros({width}), {.eps = 0}).y), w));
  }
  const Grads g = grad(z.back(), {z[2], z[layers]}, {.cotangent = Tensor::normal({batch, width}, random)});
  return std::pow(dot(g[0].detach(), g[0].detach()).item() / dot(g[1].detach(), g[1].detach()).item(), 1.0 / (layers - 2));
}

void run(Lab& lab) {
  Random random(1);
  one_layer(lab, random);
  const int64_t width = 1024;
  for (int64_t b : {8, 32, 128}) {
    Sample growth;
    for (int i = 0; i < lab.quick_or_full(b > 32 ? 1 : 2, 4); ++i) growth.add(explosion(b, [](const Tensor& x) { return x; }, width, random));
    const double law = (static_cast<double>(b) - 2) / (static_cast<double>(b) - 3);
    lab.between("A5", fmt::format("growth of |gradient|^2 per linear layer, batch {}: (B-2)/(B-3)", b), law * .98, law * 1.02, {growth.mean()});
  }
  lab.between("A5", "per ReLU layer, batch 128: pi / (pi - 1) = 1.467 for large batches", 1.474 * .97, 1.474 * 1.03, {explosion(128, relu, width, random)});
  lab.between("A5", "per tanh layer, batch 128", 1.19 * .97, 1.19 * 1.03, {explosion(128, tanh, width, random)});

  const DataSplit& data = lab.images();
  const std::vector<int64_t> at = lab.quick() ? std::vector<int64_t>{0, 200, 500} : std::vector<int64_t>{0, 50, 200, 500, 1500};
  const int64_t images = lab.quick_or_full(256, 1024);
  std::vector<double> early, late, gain;
  Run plain, bn;
  for (uint64_t seed : lab.seeds()) {
    plain = sharpness("none", "relu", seed, .05, at, images, data);
    bn = sharpness("batch", "relu", seed, .05, at, images, data);
    early.push_back(plain.sharpness[0] / bn.sharpness[0]);
    for (size_t i = 0; i < at.size(); ++i)
      if (at[i] >= 200) late.push_back(plain.sharpness[i] / bn.sharpness[i]);
    gain.push_back(bn.accuracy - plain.accuracy);
  }
  lab.between("A5", "ReLU, lr 0.05: lambda without over lambda with batch norm, steps 200 on", 1, 6, late, true);
  const Run stuck = sharpness("none", "sigmoid", 1, .05, {at.back()}, images, data), learning = sharpness("batch", "sigmoid", 1, .05, {at.back()}, images, data);
  lab.only_if("A5", "batch norm makes the largest eigenvalue smaller", "past the first 200 steps, and the other network learns",
              fmt::format("ReLU: {:.2g}x at step 0, {:.2g}x at {}; sigmoid: {:.2g}x, the plain one stuck at {:.0f} %", early[0], late.back(), at.back(), stuck.sharpness[0] / learning.sharpness[0], 100 * stuck.accuracy),
              late.back() > 1, early[0] > 1);

  // The largest learning rate that still trains.
  const Normalization pixels = measure(data.train);
  const Batch test = first(data.test, pixels, 2000);
  const std::vector<double> rates = lab.quick() ? std::vector<double>{.1, 1, 3} : std::vector<double>{.01, .03, .1, .3, 1, 3, 10};
  Chart usable{.title = "Accuracy against the learning rate", .x_label = "log10 of the learning rate", .y_label = "test accuracy", .series = {}};
  int color = 1;
  for (const char* norm : {"none", "batch"}) {
    Series s{std::string(norm) == "none" ? "measured, without" : "measured, with batch norm", {}, {}, color++};
    for (double lr : rates) {
      std::vector<double> all;
      for (uint64_t seed : lab.seeds()) {
        const auto n = small_network(mlp, norm, "relu", seed);
        Batches batches(data.train, pixels, 64, seed);
        train(*n, batches, {.lr = lr}, lab.quick_or_full(300, 1500));
        all.push_back(accuracy(*n, test));
      }
      s.x.push_back(std::log10(lr));
      s.y.push_back(all.front());
      if (lr == .1) lab.between("A5", fmt::format("accuracy at lr 0.1, norm {}", norm), lab.quick_or_full(.6, .78), .92, all, true);
      if (lr == 1 && *norm == 'n') lab.between("A5", "accuracy at lr 1, none: it diverges", 0, .3, all, true);
      if ((lr == 1 || lr == 3) && *norm == 'b') lab.between("A5", fmt::format("accuracy at lr {}, batch", lr), lab.quick_or_full(.6, .78), .92, all, true);
    }
    usable.series.push_back(s);
  }
  const auto logs = [](std::vector<double> v) {
    for (double& x : v) x = std::log10(x);
    return v;
  };
  lab.figure({{.title = "Sharpness in training", .x_label = "step (ReLU, lr 0.05, batch 64)", .y_label = "log10 of the Hessian's largest eigenvalue",
               .series = {{"measured, without", plain.steps, logs(plain.sharpness), 1}, {"measured, with batch norm", bn.steps, logs(bn.sharpness), 2}, {"edge of stability: 2 / lr", bn.steps, std::vector<double>(bn.steps.size(), std::log10(40)), 0, true}}},
              usable},
             "Left: the largest eigenvalue of the Hessian of the loss on fixed images of Fashion-MNIST, logarithmic, while a 784-100-100-100-10 network trains. Batch norm begins sharper and stays below; the plain network climbs to where gradient descent can just "
             "hold it. Predicted: a ratio of 2 to 3 from step 200 on. Right: test accuracy after the same number of steps against the learning rate: the plain network fails from 1 on, predicted were ten times larger rates for batch norm.");
}

}  // namespace

extern const Experiment landscape{
    "landscape", "Smoothing the landscape", "Is the loss smoother with batch normalisation, and when?",
    "Provably for one layer: 0.3408 + 0.1592 d becomes 1. For a trained ReLU network the largest eigenvalue is 2 to 3 times smaller from step 200 on, but larger at the start, and a network that is stuck is flat too. "
    "Usable learning rates are ten times larger. Deep networks with batch norm at random weights explode: pi/(pi - 1) per ReLU layer.",
    run, "Measure a trained network's sharpness after multiplying its first weight by 3: A8.2 says what must come out of the part that belongs to it."};

}  // namespace evenkeel::lab
