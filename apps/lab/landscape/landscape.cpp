// Does batch normalisation smooth the loss? The Hessian's largest eigenvalue and the smoothness along the gradient, in
// training: claim A5.
#include "apps/lab/training.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double lr = 0.05;
  int64_t batch = 64;
  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0.0001, 10}, "learning rate of the figure");
    option("batch", o.batch, Range{2, 4096}, "examples in a batch");
  }
};

struct Run {
  std::vector<double> steps, sharpness,
      smoothness,         // the largest eigenvalue and what along_gradient says, at these steps
      negative;           // the most negative eigenvalue over the largest, in size
  double normalised = 0;  // the last eigenvalue times |W|^2, which scaling all weights leaves alone
  double accuracy = 0;
  double at(int64_t step) const {
    return sharpness[static_cast<size_t>(std::find(steps.begin(), steps.end(), static_cast<double>(step)) -
                                         steps.begin())];
  }
};

Run follow(Lab& lab, int64_t batch, const std::string& norm, const std::string& activation, uint64_t seed, double lr,
           const std::vector<int64_t>& at) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto network = small_network("mlp:100-100-100", norm, activation, seed);
  const Batch fixed = first(data.train, pixels, lab.quick_or_full(256, 1024));
  Batches batches(data.train, pixels, batch, seed);
  const std::vector<Parameter> all = parameters(*network);
  const std::vector<Tensor> w = values(all);
  const auto loss = [&] { return cross_entropy(network->forward(fixed.x, Mode::probe), fixed.labels); };
  const auto negated = [&] { return -loss(); };
  Run run;
  Random random = Random(seed).split("direction");  // not the stream of the weights
  for (size_t i = 0; i < at.size(); ++i) {
    train(*network, batches, {.lr = lr}, i ? at[i] - at[i - 1] : at[i]);
    run.steps.push_back(static_cast<double>(at[i]));
    const auto largest = [&](const auto& f) {
      return largest_eigenvalue(f, w, random, {.max_steps = 30, .tolerance = 2e-2}).value;
    };
    run.sharpness.push_back(largest(loss));
    run.negative.push_back(largest(negated) / run.sharpness.back());
    run.smoothness.push_back(along_gradient(loss, w, {lr / 4, lr / 2, lr}).smoothness);
  }
  double squares = 0;
  for (const Parameter& p : all) squares += p.decay ? std::pow(l2_norm(p.value), 2) : 0;
  run.normalised = run.sharpness.back() * squares;
  run.accuracy = accuracy(*network, first(data.test, pixels, 2000));
  return run;
}

void run(Lab& lab, const Parameters& p) {
  const std::vector<int64_t> at =
      lab.quick() ? std::vector<int64_t>{0, 200, 500} : std::vector<int64_t>{0, 50, 200, 500, 1500};
  std::vector<double> early, late, faster, edge, plain_normalised, bn_normalised, first_negative, negative;
  Run plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Run a = follow(lab, p.batch, "none", "relu", seed, p.lr, at),
              b = follow(lab, p.batch, "batch", "relu", seed, p.lr, at);
    if (seed == 1) plain = a, bn = b;
    early.push_back(a.sharpness[0] / b.sharpness[0]);
    plain_normalised.push_back(a.normalised), bn_normalised.push_back(b.normalised);
    for (const Run* r : {&a, &b}) {
      first_negative.push_back(r->negative[0]);
      negative.insert(negative.end(), r->negative.begin() + 1, r->negative.end());
    }
    for (int64_t step : at)
      if (step >= 200) late.push_back(a.at(step) / b.at(step));
    if (lab.quick()) continue;
    const std::vector<int64_t> late_steps{200, 500, 1500};
    const Run fast = follow(lab, p.batch, "none", "relu", seed, .2, late_steps),
              bn_fast = follow(lab, p.batch, "batch", "relu", seed, .2, late_steps);
    for (int64_t step : late_steps) faster.push_back(fast.at(step) / bn_fast.at(step));
    for (int64_t step : {200, 500}) edge.push_back(fast.at(step) / (2 / .2));
  }
  lab.between("A5", fmt::format("ReLU, lr {}: lambda without is 1 to 6 times that with batch norm, steps 200 on", p.lr),
              1, 6, late, true);
  lab.not_found_again("A5", "ReLU, from step 200 on: 2 to 3 times (PyTorch 2.5 to 2.9)", 2, 3, late,
                      "That the plain network is two to three times sharper was found in PyTorch with one seed. Here "
                      "it is sharper at every step from 200 on, but at some by less than two times.");
  if (!lab.quick()) {
    lab.between("A5", "ReLU, lr 0.2: 1 to 6 times (PyTorch 2.0 to 3.0)", 1, 6, faster, true);
    lab.between("A5",
                "lr 0.2, without: lambda over the edge of stability $2 / lr$ is within a half of 1, steps 200 and 500",
                .5, 1.5, edge, true);
  }
  lab.between("A5", "lambda is the spectral norm: the most negative eigenvalue over it, in size, after step 0", 0, 1,
              negative);
  lab.not_found_again("A5", "the most negative eigenvalue over lambda, in size, at step 0", 0, 1, first_negative,
                      "Before training the most negative eigenvalue with batch norm is a little larger than lambda, in "
                      "size: there lambda is not the spectral norm.");
  lab.observed("A5", "lambda of the plain network at the last step, seed 1",
               fmt::format("edge 2 / lr = {:.3g}", 2 / p.lr), {plain.sharpness.back()});
  lab.observed("A5", "lambda times $|W|^2$, which the size of weights does not change, without", "", plain_normalised);
  lab.observed("A5", "the same with batch norm", "", bn_normalised);
  const Run stuck = follow(lab, p.batch, "none", "sigmoid", 1, .05, {at.back()}),
            learning = follow(lab, p.batch, "batch", "sigmoid", 1, .05, {at.back()});
  if (!lab.quick()) {
    lab.not_found_again("A5", "sigmoid, lr 0.05, without: accuracy after 1500 steps, stuck (PyTorch 0.10)", 0, .2,
                        {stuck.accuracy},
                        "The plain sigmoid network, which in PyTorch was still stuck after 1500 steps, begins to leave "
                        "its plateau here; after "
                        "500, in the quick run, it has not.");
    lab.between("A5", "with batch norm it learns (PyTorch 0.836)", .776, .896, {learning.accuracy}, true);
    lab.between("A5", "and its lambda is within a factor of 2 of PyTorch's 14.6 to 20.6", 7.3, 41.2, learning.sharpness,
                true);
  }
  const double least = *std::min_element(late.begin(), late.end()),
               most = *std::max_element(early.begin(), early.end());
  lab.only_if(
      "A5", "batch norm makes the largest eigenvalue smaller", "past the first 200 steps, and the other network learns",
      fmt::format("ReLU: at most {:.2g}x at step 0, at least {:.2g}x from 200 on; sigmoid: {:.2g}x, the plain one at "
                  "{:.0f} %",
                  most, least, stuck.sharpness[0] / learning.sharpness[0], 100 * stuck.accuracy),
      least > 1, most > 1 && stuck.sharpness[0] > learning.sharpness[0], true);
  lab.figure(
      {{.title = "Sharpness in training",
        .x_label = fmt::format("step (ReLU, lr {}, batch {})", p.lr, p.batch),
        .y_label = "largest eigenvalue of the Hessian",
        .series = {{"measured, without", plain.steps, plain.sharpness, 1},
                   {"measured, with batch norm", bn.steps, bn.sharpness, 2},
                   {"edge of stability: 2 / lr", bn.steps, std::vector<double>(bn.steps.size(), 2 / p.lr), 0, true}},
        .log_y = true},
       {.title = "Smoothness along the gradient",
        .x_label = fmt::format("step (ReLU, lr {}, batch {})", p.lr, p.batch),
        .y_label = "|change of gradient| / |step|",
        .series = {{"measured, without", plain.steps, plain.smoothness, 1},
                   {"measured, with batch norm", bn.steps, bn.smoothness, 2}},
        .log_y = true}},
      {.shows = "A 784-100-100-100-10 network trains on Fashion-MNIST; against the step, on logarithmic axes: "
                "left the largest eigenvalue "
                "of the Hessian of the loss on fixed images, right how fast the gradient changes along itself "
                "within one step (Santurkar "
                "et al. 2018), no units.",
       .predicted = "Batch norm begins sharper and is flatter from step 200 on; the plain network climbs to the edge "
                    "of stability, 2 / lr (dashed).",
       .seen = fmt::format("Plain over batch norm: {:.2g} at step 0, {:.2g} at step {} (seed 1).", early[0],
                           plain.sharpness.back() / bn.sharpness.back(), at.back())});
}

}  // namespace

extern const Experiment landscape{
    "landscape",
    "Smoothing the landscape",
    "Is the loss smoother with batch normalisation, and when?",
    "Yes, from step 200 on. At the start it is sharper, and a plain network that is stuck is flat too.",
    "For a trained ReLU network the largest eigenvalue of the Hessian is smaller from step 200 on, but "
    "larger at the start, and a network that is stuck is flat too.",
    run,
    {"Train with four times the learning rate: is the plain network as sharp as before?", "lr=0.2",
     "lambda of the plain network at the last step", 4, 14,
     "No: 9 instead of 21 after 500 steps. Gradient descent is unstable at a curvature above 2 / lr, which is now 10 "
     "instead of 40: the rate limits the sharpness."}};

}  // namespace evenkeel::lab
