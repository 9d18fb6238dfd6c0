// Does batch normalisation smooth the loss? The Hessian's largest eigenvalue and the smoothness along the gradient, in
// training: claim A5.
#include "apps/lab/training.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Run {
  std::vector<double> steps, sharpness, logs,
      smoothness;         // the largest eigenvalue and what along_gradient says, at these steps
  double normalised = 0;  // the last eigenvalue times |W|^2, which scaling all weights leaves alone
  double accuracy = 0;
  double at(int64_t step) const {
    return sharpness[static_cast<size_t>(std::find(steps.begin(), steps.end(), static_cast<double>(step)) -
                                         steps.begin())];
  }
};

Run follow(Lab& lab, const std::string& norm, const std::string& activation, uint64_t seed, double lr,
           const std::vector<int64_t>& at) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto network = small_network("mlp:100-100-100", norm, activation, seed);
  const Batch fixed = first(data.train, pixels, lab.quick_or_full(256, 1024));
  Batches batches(data.train, pixels, 64, seed);
  const std::vector<Parameter> all = parameters(*network);
  const std::vector<Tensor> w = values(all);
  const auto loss = [&] { return cross_entropy(network->forward(fixed.x, Mode::probe), fixed.labels); };
  Run run;
  Random random = Random(seed).split("direction");  // not the stream of the weights
  for (size_t i = 0; i < at.size(); ++i) {
    train(*network, batches, {.lr = lr}, i ? at[i] - at[i - 1] : at[i]);
    run.steps.push_back(static_cast<double>(at[i]));
    run.sharpness.push_back(largest_eigenvalue(loss, w, random, {.max_steps = 30, .tolerance = 2e-2}).value);
    run.logs.push_back(std::log10(run.sharpness.back()));
    run.smoothness.push_back(std::log10(along_gradient(loss, w, {lr / 4, lr / 2, lr}).smoothness));
  }
  double squares = 0;
  for (const Parameter& p : all) squares += p.decay ? std::pow(l2_norm(p.value), 2) : 0;
  run.normalised = run.sharpness.back() * squares;
  run.accuracy = accuracy(*network, first(data.test, pixels, 2000));
  return run;
}

void run(Lab& lab) {
  const std::vector<int64_t> at =
      lab.quick() ? std::vector<int64_t>{0, 200, 500} : std::vector<int64_t>{0, 50, 200, 500, 1500};
  std::vector<double> early, late, faster, edge, plain_normalised, bn_normalised;
  Run plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Run p = follow(lab, "none", "relu", seed, .05, at), b = follow(lab, "batch", "relu", seed, .05, at);
    if (seed == 1) plain = p, bn = b;
    early.push_back(p.sharpness[0] / b.sharpness[0]);
    plain_normalised.push_back(p.normalised), bn_normalised.push_back(b.normalised);
    for (int64_t step : at)
      if (step >= 200) late.push_back(p.at(step) / b.at(step));
    if (lab.quick()) continue;
    const std::vector<int64_t> late_steps{200, 500, 1500};
    const Run fast = follow(lab, "none", "relu", seed, .2, late_steps),
              bn_fast = follow(lab, "batch", "relu", seed, .2, late_steps);
    for (int64_t step : late_steps) faster.push_back(fast.at(step) / bn_fast.at(step));
    for (int64_t step : {200, 500}) edge.push_back(fast.at(step) / (2 / .2));
  }
  lab.between("A5", "ReLU, lr 0.05: lambda without over lambda with batch norm, steps 200 on (elsewhere 2.5 to 2.9)", 1,
              6, late, true);
  if (!lab.quick()) {
    lab.between("A5", "ReLU, lr 0.2: the same (elsewhere 2.0 to 3.0)", 1, 6, faster, true);
    lab.between("A5", "lr 0.2, without: lambda over the edge of stability 2 / lr, steps 200 and 500", .5, 1.5, edge,
                true);
  }
  lab.observed("A5", "lambda times |W|^2, which the size of weights does not change, without", "", plain_normalised);
  lab.observed("A5", "the same with batch norm", "", bn_normalised);
  const Run stuck = follow(lab, "none", "sigmoid", 1, .05, {at.back()}),
            learning = follow(lab, "batch", "sigmoid", 1, .05, {at.back()});
  if (!lab.quick()) {
    lab.not_found_again("A5", "sigmoid, lr 0.05, without: accuracy after 1500 steps, stuck (elsewhere 0.10)", 0, .2,
                        {stuck.accuracy},
                        "The plain sigmoid network, which elsewhere was still stuck after 1500 steps, begins to leave "
                        "its plateau here; after "
                        "500, in the quick run, it has not.");
    lab.between("A5", "with batch norm it learns (elsewhere 0.836)", .776, .896, {learning.accuracy}, true);
    lab.between("A5", "and its lambda (elsewhere 14.6 to 20.6)", 7, 42, learning.sharpness, true);
  }
  lab.only_if(
      "A5", "batch norm makes the largest eigenvalue smaller", "past the first 200 steps, and the other network learns",
      fmt::format("ReLU: {:.2g}x at step 0, {:.2g}x at {}; sigmoid: {:.2g}x, the plain one at {:.0f} %", early[0],
                  late.back(), at.back(), stuck.sharpness[0] / learning.sharpness[0], 100 * stuck.accuracy),
      late.back() > 1, early[0] > 1 && stuck.sharpness[0] > learning.sharpness[0], true);
  lab.figure({{.title = "Sharpness in training",
               .x_label = "step (ReLU, lr 0.05, batch 64)",
               .y_label = "log10 of the Hessian's largest eigenvalue",
               .series = {{"measured, without", plain.steps, plain.logs, 1},
                          {"measured, with batch norm", bn.steps, bn.logs, 2},
                          {"edge of stability: 2 / lr", bn.steps, std::vector<double>(bn.steps.size(), std::log10(40)),
                           0, true}}},
              {.title = "Smoothness along the gradient",
               .x_label = "step (ReLU, lr 0.05, batch 64)",
               .y_label = "log10 of |change of gradient| / |step|",
               .series = {{"measured, without", plain.steps, plain.smoothness, 1},
                          {"measured, with batch norm", bn.steps, bn.smoothness, 2}}}},
             {.shows = "A 784-100-100-100-10 network trains on Fashion-MNIST; against the step, on logarithmic axes: "
                       "left the largest eigenvalue "
                       "of the Hessian of the loss on fixed images, right how fast the gradient changes along itself "
                       "within one step (Santurkar "
                       "et al. 2018), no units.",
              .predicted = "Batch norm begins sharper and is two to three times flatter from step 200 on; the plain "
                           "network climbs to where "
                           "gradient descent can just hold it, 2 / lr (dashed).",
              .seen = fmt::format("Plain over batch norm: {:.2g} at step 0, {:.2g} at step {} (seed 1).", early[0],
                                  plain.sharpness.back() / bn.sharpness.back(), at.back())});
}

}  // namespace

extern const Experiment landscape{
    "landscape",
    "Smoothing the landscape",
    "Is the loss smoother with batch normalisation, and when?",
    "For a trained ReLU network the largest eigenvalue of the Hessian is 2 to 3 times smaller from step 200 "
    "on, but larger at the start, and a network that is stuck is flat too.",
    run,
    "Measure a trained network's sharpness after multiplying its first weight by 3: A8.2 says what must come "
    "out of the part that belongs to it."};

}  // namespace evenkeel::lab
