// Does the coupling of a batch's examples make the loss smoother? The same network at the same weights, with the
// batch's statistics as functions of the weights and as constants: claim A4.13.
#include "apps/lab/training.h"
#include "layers/norm/recalibrate.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/l2_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t units = 100;
  static void each(auto& o, auto&& option) {
    option("units", o.units, Range{2, 400}, "ReLU units d that the normalised unit reads");
  }
};

// One normalised unit, y = (h w - mu) / sigma, of h (m, d) and w (d, 1); mu and sigma are functions of w, or constants.
using Form = Tensor (*)(const Tensor& h, const Tensor& w);
Tensor coupled(const Tensor& h, const Tensor& w) { return standardise(matmul(h, w), 0).y; }
Tensor constant(const Tensor& h, const Tensor& w) {
  const Tensor z = matmul(h, w);
  const Normalized now = standardise(z.detach(), 0);
  return batch_norm_inference(z, now.mean, now.var, ones(1), zeros(1), 0);
}
// The loss |y - t|^2 / 2m, whose targets t are the unit's outputs at the present w.
Objective fitted(Form y, const Tensor& h, const Tensor& w) {
  return [=, t = y(h, w).detach()] { return mean(square(y(h, w) - t)) * 0.5; };
}

Tensor hessian(const Objective& f, const Tensor& w) {
  Tensor all = Tensor::empty({w.size(), w.size()});
  for (int64_t j = 0; j < w.size(); ++j) {
    Tensor unit = Tensor::zeros(w.shape());
    unit.mutable_data()[j] = 1;
    const Tensor row = hessian_vector_product(f, {w}, {unit})[0];
    std::copy_n(row.data(), w.size(), all.mutable_data() + j * w.size());
  }
  return all;
}

double largest(const Objective& f, const std::vector<Tensor>& w, Random& random, const LanczosOptions& options) {
  return largest_eigenvalue(f, w, random, options).value;
}

// The laws of one unit: the largest eigenvalue with constant statistics over that with coupled ones.
double one_unit(Lab& lab, int64_t units) {
  Random random(1);
  const Tensor h = relu(Tensor::normal({32, 6}, random)), w = Tensor::normal({6, 1}, random).track();
  const double m = 32, s2 = standardise(matmul(h, w).detach(), 0).var.item();
  const Tensor xhat = coupled(h, w).detach(), mu = reshape(mean_rows(h), {6, 1}), along = matmul(h, xhat, true),
               second = matmul(h, h, true);
  const Tensor H = hessian(fitted(coupled, h, w), w);
  lab.same("A4.13", "one unit that fits, statistics constant: the Hessian is $h'h / (m sigma^2)$", second / (m * s2),
           hessian(fitted(constant, h, w), w), 1e-12);
  lab.same("A4.13", "coupled: $h'(P - xhat xhat' / m) h / (m sigma^2)$, the same less two directions",
           (second - matmul(mu, mu, false, true) * m - matmul(along, along, false, true) / m) / (m * s2), H, 1e-12);
  lab.same("A4.13", "coupled: no curvature along w, H w = 0", Tensor::zeros({6, 1}), matmul(H, w.detach()), 1e-12);

  const int64_t n = lab.quick_or_full(4000, 20000);
  const double d = static_cast<double>(units), noise = std::pow(1 + std::sqrt(d / static_cast<double>(n)), 2);
  const double variance = .5 - 1 / (2 * M_PI), law = (variance + d / (2 * M_PI)) / (variance * noise);
  const Tensor many = relu(Tensor::normal({n, units}, random)), weights = Tensor::normal({units, 1}, random).track();
  const LanczosOptions exact{.tolerance = 1e-6};
  const double quotient = largest(fitted(constant, many, weights), {weights}, random, exact) /
                          largest(fitted(coupled, many, weights), {weights}, random, exact);
  lab.equal("A4.13",
            fmt::format("one unit that reads {} ReLUs: lambda, constant over coupled: $1 + d / (pi - 1)$, less the "
                        "noise of {} draws",
                        units, n),
            law, quotient, .07);
  return quotient;
}

// From here on inference takes the statistics of this batch, as constants.
void hold_statistics(Sequential& network, const Batch& batch) {
  recalibrate(network, [&](const auto& use) { use(batch.x); });
}
Tensor loss(Sequential& network, const Batch& batch, Mode mode) {
  return cross_entropy(network.forward(batch.x, mode), batch.labels);
}

std::unique_ptr<Sequential> normalised(uint64_t seed) {
  return small_network("mlp:100-100-100", "batch:variance=biased", "relu", seed);
}

double length(const std::vector<Tensor>& all) {
  double squares = 0;
  for (const Tensor& t : all) squares += std::pow(l2_norm(t), 2);
  return std::sqrt(squares);
}

struct Run {
  std::vector<double> steps, coupled, constant, over, gradients;  // over, gradients: constant over coupled
};

// A network that trains as usual; at some steps both forms of its loss are measured.
Run follow(Lab& lab, uint64_t seed) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto network = normalised(seed);
  const Batch fixed = first(data.train, pixels, lab.quick_or_full(256, 512));
  Batches batches(data.train, pixels, 64, seed);
  const std::vector<Tensor> w = values(parameters(*network));
  Random random = Random(seed).split("direction");
  Run run;
  int64_t done = 0;
  for (int64_t step : lab.quick_or_full<std::vector<int64_t>>({0, 200}, {0, 50, 200, 500})) {
    train(*network, batches, {.lr = 0.05}, step - done);
    done = step;
    hold_statistics(*network, fixed);
    double lambda[2], size[2], value[2];
    for (int c = 0; c < 2; ++c) {
      const auto f = [&] { return loss(*network, fixed, c ? Mode::eval : Mode::probe); };
      value[c] = f().item();
      size[c] = length(grad(f(), w));
      lambda[c] = largest(f, w, random, {.max_steps = 30, .tolerance = 2e-2});
    }
    if (seed == 1)
      lab.equal("A4.13", fmt::format("step {}: the loss is the same number in both forms", step), value[0], value[1]);
    run.steps.push_back(static_cast<double>(step));
    run.coupled.push_back(lambda[0]), run.constant.push_back(lambda[1]);
    run.over.push_back(lambda[1] / lambda[0]), run.gradients.push_back(size[1] / size[0]);
  }
  return run;
}

struct Trained {
  double accuracy = 0, growth = 0;  // on test images; of the weights' length
};

// A network whose gradients take the statistics as constants, or not. Both are tested with the exact statistics of
// training images.
Trained trained(Lab& lab, bool constant, double lr, uint64_t seed, const Normalization& pixels) {
  const DataSplit& data = lab.images();
  const auto network = normalised(seed);
  Batches batches(data.train, pixels, 64, seed);
  const std::vector<Tensor> w = values(parameters(*network));
  const double before = length(w);
  Sgd sgd(parameters(*network), {.lr = static_cast<real>(lr)});
  for (int step = 0; step < 300; ++step) {
    const Batch batch = batches.next();
    if (constant) hold_statistics(*network, batch);
    const Tensor l = loss(*network, batch, constant ? Mode::eval : Mode::probe);
    if (!std::isfinite(l.item())) return {};
    sgd.step(grad(l, w));
  }
  hold_statistics(*network, first(data.train, pixels, 2000));
  return {accuracy(*network, first(data.test, pixels, 2000)), length(w) / before};
}

void run(Lab& lab, const Parameters& p) {
  const double quotient = one_unit(lab, p.units);
  Run shown;
  std::vector<double> over, gradients;
  for (uint64_t seed : lab.seeds()) {
    const Run r = follow(lab, seed);
    if (seed == 1) shown = r;
    over.insert(over.end(), r.over.begin(), r.over.end());
    gradients.insert(gradients.end(), r.gradients.begin(), r.gradients.end());
  }
  lab.between("A4.13", "a network in training: lambda, constant over coupled, at every step", 1, 50, over, true);
  lab.between("A4.13", "the gradient's length, constant over coupled", 1, 20, gradients, true);

  const Normalization pixels = measure(lab.images().train);
  const std::vector<double> rates{.001, .01, .1, 1, 3};
  Series series[] = {{"measured, coupled", rates, {}, 2}, {"measured, constant", rates, {}, 3}};
  std::vector<double> bears, accuracies[2], growth[2];  // the last two at the rate 0.1
  for (uint64_t seed : lab.seeds()) {
    double largest_rate[2] = {};
    for (double lr : rates)
      for (int c = 0; c < 2; ++c) {
        const Trained t = trained(lab, c == 1, lr, seed, pixels);
        if (t.accuracy > .5) largest_rate[c] = lr;
        if (lr == .1) accuracies[c].push_back(t.accuracy), growth[c].push_back(t.growth);
        if (seed == 1) series[c].y.push_back(t.accuracy);
      }
    bears.push_back(largest_rate[0] / largest_rate[1]);
  }
  lab.not_found_again("A4.13", "the largest rate that trains, coupled over constant", 9.9, INFINITY, bears,
                      "That training with constant statistics bears only a tenth of the learning rate was our own "
                      "prediction. It bears them all, but learns less.");
  for (int c = 0; c < 2; ++c) {
    const char* form = c ? "constant" : "coupled";
    lab.observed("A4.13", fmt::format("{}: accuracy after 300 steps, rate 0.1", form), "", accuracies[c]);
    lab.observed("A4.13", fmt::format("{}: how many times as long the weights are then", form), "", growth[c]);
  }
  lab.figure({{.title = "Sharpness of the same network",
               .x_label = "step (ReLU, lr 0.05, batch 64)",
               .y_label = "largest eigenvalue of the Hessian",
               .series = {{"measured, coupled", shown.steps, shown.coupled, 2},
                          {"measured, constant", shown.steps, shown.constant, 3}},
               .log_y = true},
              {.title = "Training without the coupling",
               .x_label = "learning rate",
               .y_label = "test accuracy after 300 steps",
               .series = {series[0], series[1]},
               .log_x = true}},
             {.shows = "A 784-100-100-100-10 network on Fashion-MNIST, seed 1, whose statistics are functions of the "
                       "weights (coupled), or the same numbers as constants. Left, against the step of ordinary "
                       "training: the largest eigenvalue of the Hessian on fixed images, by both forms of the loss. "
                       "Right, against the learning rate: the accuracy when each step takes this form's gradient.",
              .predicted = "The form with constants is sharper at every step, and bears a tenth of the learning rate.",
              .seen = fmt::format("Constant over coupled: {:.2g} at step 0, {:.2g} at step {:.0f}; for one unit that "
                                  "reads {} ReLUs {:.3g}.",
                                  shown.over.front(), shown.over.back(), shown.steps.back(), p.units, quotient)});
}

}  // namespace

extern const Experiment coupling{
    "coupling",
    "Smoothing the landscape",
    "Is it the dense Jacobian that makes the loss smoother?",
    "Yes: the same network at the same weights is 1.4 to 4.4 times as sharp if its statistics are constants, and "
    "learns "
    "less if its gradients take them so; but it bears learning rates as large, up to 3.",
    "Yes: the coupling removes the batch's mean and its part along xhat from every gradient. For one unit that reads d "
    "ReLUs the largest eigenvalue is $1 + d / (pi - 1)$ times as large without it; in a network it is larger at every "
    "step, and only a tenth of the learning rate trains.",
    run,
    {"Let the unit read 25 ReLUs instead of 100: how much sharper is it without the coupling?", "units=25",
     "one unit that reads", 10, 12.5,
     "$1 + 25 / (pi - 1)$ is 12.7, and the noise of the draws takes a tenth: what the coupling removes is the ReLUs' "
     "common mean, to which each adds the same."}};

}  // namespace evenkeel::lab
