// Weights that only their direction matters of, and what weight decay does to them: claims A8.1 to A8.11.
#include "apps/lab/train.h"
#include "core/matmul.h"
#include "core/normalize.h"
#include "core/reduce.h"
#include "optim/curvature.h"

namespace evenkeel::lab {
namespace {

// A layer of four units with batch norm, and a loss.
struct Problem {
  explicit Problem(Random& random, double floor) : x(Tensor::normal({12, 5}, random)), b(Tensor::normal({4}, random).track()), gamma(Tensor::normal({4}, random).track()), eps(floor) {}
  Tensor loss(const Tensor& w) const {
    const Tensor z = add_per_channel(matmul(x, w), b);
    return cross_entropy(batch_norm(z, gamma, Tensor::zeros({4}), {.eps = eps}).y, {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3});
  }
  Tensor x, b, gamma;
  double eps;
};

double norm(const Tensor& t) { return std::sqrt(dot(t.detach(), t.detach()).item()); }

// What decay and gradients of norm G / |w|, orthogonal to w, make of a norm.
struct Thermostat {
  double final_fourth, angle;
  std::vector<double> fourth;  // |w|^4 / predicted, each step
};
Thermostat thermostat(double lr, double decay, double start, double momentum, int steps, Random& random) {
  const int64_t d = 4000;
  Tensor w = Tensor::normal({d}, random), v = Tensor::zeros({d});
  w = w * (start / norm(w));
  Sample angle, fourth;
  Thermostat t{};
  const double predicted = momentum > 0 ? lr / (2 * decay * (1 - momentum)) : lr / (2 * decay - lr * decay * decay);
  for (int i = 0; i < steps; ++i) {
    Tensor g = Tensor::normal({d}, random);
    const double n = norm(w);
    g = g - w * (dot(g, w).item() / (n * n));
    g = g * (1 / (norm(g) * n));
    v = v * momentum + g + w * decay;
    const Tensor next = w - v * lr;
    const double cosine = dot(w, next).item() / (n * norm(next));
    t.fourth.push_back(n * n * n * n / predicted);
    w = next;
    if (i >= steps / 2) angle.add(std::acos(std::min(1.0, cosine))), fourth.add(std::pow(norm(w), 4));
  }
  t.angle = angle.mean();
  t.final_fourth = fourth.mean();
  return t;
}

// The losses of a batch-norm network whose hidden weights decay, or whose rate for them grows instead.
std::vector<double> losses(bool as_schedule, double lr, double decay, int steps) {
  Random random(7);
  const Tensor x = Tensor::normal({40, 6}, random);
  Labels labels;
  for (int i = 0; i < 40; ++i) labels.push_back(static_cast<int32_t>(random.below(3)));
  std::vector<Tensor> w{Tensor::normal({6, 10}, random).track(), Tensor::normal({10, 10}, random).track(), Tensor::normal({10, 3}, random).track(), Tensor::full({10}, 1).track()};
  std::vector<double> all;
  for (int t = 0; t < steps; ++t) {
    Tensor h = x;
    for (int l = 0; l < 2; ++l) h = tanh(batch_norm(matmul(h, w[static_cast<size_t>(l)]), w[3], Tensor::zeros({10}), {.eps = 0}).y);
    const Tensor loss = cross_entropy(matmul(h, w[2]), labels);
    all.push_back(loss.item());
    const Grads g = grad(loss, w);
    for (size_t i = 0; i < 4; ++i) {
      const bool invariant = i < 2;
      const double rate = invariant && as_schedule ? lr * std::pow(1 - lr * decay, -2.0 * t - 1) : lr, shrink = invariant && !as_schedule ? lr * decay : 0;
      w[i].copy_from(w[i].detach() * (1 - shrink) - g[i].detach() * rate);
    }
  }
  return all;
}

void run(Lab& lab) {
  Random random(3);
  const Problem p(random, 0);
  const Tensor w = Tensor::normal({5, 4}, random).track(), w3 = (w.detach() * 3).track();
  const Tensor g = grad(p.loss(w), {w})[0].detach(), g3 = grad(p.loss(w3), {w3})[0].detach(), v = Tensor::normal({5, 4}, random);
  lab.equal("A8.1", "loss at 3 W", p.loss(w).item(), p.loss(w3).item(), 1e-13);
  lab.same("A8.2", "gradient at 3 W: a third", g / 3.0, g3, 1e-13);
  const Tensor hv = hessian_vector_product([&] { return p.loss(w); }, {w}, {v})[0].detach();
  lab.same("A8.2", "Hessian at 3 W: a ninth", hv / 9.0, hessian_vector_product([&] { return p.loss(w3); }, {w3}, {v})[0].detach(), 1e-13);
  for (double eps : {0.0, 1e-3, 0.5}) {
    Problem q = p;
    q.eps = eps;
    const Grads d = grad(q.loss(w), {w, q.gamma, q.b});
    const Normalized n = batch_norm(add_per_channel(matmul(q.x, w), q.b), q.gamma, Tensor::zeros({4}), {.eps = eps});
    lab.same("A8.3", fmt::format("<W_k, dW_k> = eps / (sigma_k^2 + eps) gamma_k dgamma_k, eps = {}", eps), q.gamma.detach() * d[1].detach() * (reciprocal(n.var + eps) * eps), sum_rows(w.detach() * d[0].detach()), 1e-13);
    lab.equal("A8.3", "the gradient of a bias before batch norm", 0, norm(d[2]), 1e-13);
  }
  const Tensor hw = hessian_vector_product([&] { return p.loss(w); }, {w}, {w.detach()})[0].detach();
  lab.same("A8.4", "H w = - gradient, along w", g * -1.0, hw, 1e-13);
  lab.equal("A8.4", "w' H w = 0", 0, dot(w.detach(), hw).item(), 1e-13);
  lab.equal("A8.5", "a plain step adds lr^2 |g|^2 to |W|^2", std::pow(norm(w), 2) + .09 * std::pow(norm(g), 2), std::pow(norm(w.detach() - g * .3), 2), 1e-13);
  Tensor decayed = Tensor::normal({7}, random).track(), loss = dot(decayed, decayed) * .05;  // lambda |w|^2, lambda = 0.05
  Tensor by_sgd = decayed.detach().clone();
  Sgd sgd({{"w", by_sgd, true}}, {.lr = .1, .weight_decay = .1});
  sgd.step({Tensor::zeros({7})});
  lab.same("A8.9", "the penalty lambda |W|^2 is weight decay 2 lambda", decayed.detach() - grad(loss, {decayed})[0].detach() * .1, by_sgd, 1e-14);

  // The thermostat: decay shrinks, gradients (orthogonal, and larger for smaller weights) grow; they meet.
  Thermostat low{}, high{};
  for (const auto& [lr, decay, predicted, steps] : {std::tuple{.1, 5e-3, 10.0025, 12000}, {.5, 5e-3, 50.0625, 4000}}) {
    low = thermostat(lr, decay, 1, 0, steps, random);
    high = thermostat(lr, decay, 4, 0, steps, random);
    const double exact = lr / (2 * decay - lr * decay * decay);
    lab.equal("A8.6", fmt::format("|w|^4 = lr G^2 / (2 wd - lr wd^2), lr {}, wd {}, from |w| = 1", lr, decay), exact, low.final_fourth, 1e-3);
    lab.equal("A8.6", "from |w| = 4", predicted, high.final_fourth, 2e-3);
    lab.equal("A8.7", "angle of a step: sqrt(2 lr wd)", std::sqrt(2 * lr * decay), low.angle, 1e-3);
  }
  const Thermostat moving = thermostat(.1, 5e-3, 2.5, .9, lab.quick_or_full(4000, 40000), random);
  lab.between("A8.7", "momentum 0.9: |w|^4 over lr G^2 / (2 wd (1 - momentum))", .97, 1.03, {moving.final_fourth / (.1 / (2 * 5e-3 * .1))});
  lab.between("A8.7", "momentum 0.9: angle over sqrt(2 lr wd / (1 + momentum))", .97, 1.03, {moving.angle / std::sqrt(2 * .1 * 5e-3 / 1.9)});

  // W -> 0, and gamma that must make up for it? Not before the variance falls to eps.
  const Tensor z = Tensor::normal({512, 1}, random), unit = batch_norm(z, Tensor::full({1}, 1), Tensor::zeros({1}), {.eps = 0}).y;
  const auto kept = [&](double c) { return std::sqrt(mean(square(batch_norm(unit * c, Tensor::full({1}, 1), Tensor::zeros({1}), {.eps = 1e-5}).y)).item()); };
  for (const auto& [c, predicted] : {std::pair{.1, .9995}, {.01, .9535}, {.003, .688}, {.001, .3015}}) lab.equal("A8.10", fmt::format("output that weights scaled by {} keep: c / sqrt(c^2 + eps / sigma^2)", c), predicted, kept(c), 3e-4);
  lab.only_if("A8.10", "as |W| -> 0 a larger gamma must make up for it", "the variance is near eps", fmt::format("{:.4f} is kept at W/10, {:.4f} at W/1000", kept(.1), kept(.001)), kept(.001) < .9, kept(.1) < .9);

  const int steps = lab.quick_or_full(150, 300);
  const std::vector<double> decay_run = losses(false, .1, .02, steps), schedule_run = losses(true, .1, .02, steps);
  double apart = 0;
  for (size_t i = 0; i < decay_run.size(); ++i) apart = std::max(apart, std::abs(decay_run[i] - schedule_run[i]));
  lab.equal("A8.11", fmt::format("losses: decay, and no decay with lr (1 - lr wd)^(-2t-1), {} steps", steps), 0, apart, 1e-12);

  // A real network: mean of |W|^4 / (lr <G^2> / 2 wd) for its hidden layers, once they have settled.
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const double lr = .2, decay = .01;
  const int64_t run_steps = lab.quick_or_full(900, 2500);
  Series trace{"measured", {}, {}, 1};
  std::vector<double> settled, turned;
  for (uint64_t seed : lab.seeds()) {
    const auto net = network("mlp:64-64", "batch:eps=1e-10", "relu", seed, "gaussian:0.02");  // no larger: decay alone would take long
    Batches batches(data.train, pixels, 64, seed);
    const std::vector<Parameter> all = parameters(*net);
    Sample fourth, squared;
    Tensor before;
    Sample angle;
    train(*net, batches, {.lr = lr, .weight_decay = decay}, run_steps, [&](const Step& s) {
      size_t k = 3;  // the second dense layer's weight: 64 x 64
      while (all[k].value.shape() != Shape{64, 64}) ++k;
      const Tensor& weight = all[k].value;
      const double n = norm(weight);
      if (seed == 1 && s.number % 20 == 0) trace.x.push_back(static_cast<double>(s.number)), trace.y.push_back(n);
      if (s.number < run_steps / 2) return;
      if (before.defined()) angle.add(std::acos(dot(before, weight.detach()).item() / (norm(before) * n)));
      before = weight.detach().clone();
      fourth.add(std::pow(n, 4));
      squared.add(std::pow(n * norm(s.gradients[k]), 2));
    });
    settled.push_back(fourth.mean() / (lr * squared.mean() / (2 * decay - lr * decay * decay)));
    turned.push_back(angle.mean() / std::sqrt(2 * lr * decay));
  }
  lab.between("A8.6", "a trained network's layer: |W|^4 over lr <G^2> / (2 wd - lr wd^2)", .8, 1.25, settled, true);
  lab.between("A8.7", "its angle per step over sqrt(2 lr wd)", .8, 1.25, turned, true);

  std::vector<double> index = grid(0, static_cast<double>(low.fourth.size() - 1), static_cast<int>(std::min<size_t>(low.fourth.size(), 200)));
  const auto at = [](const std::vector<double>& all) { return [&all](double t) { return all[static_cast<size_t>(t)]; }; };
  lab.figure({{.title = "The thermostat", .x_label = "step (lr 0.5, weight decay 0.005)", .y_label = "|w|^4 over its predicted equilibrium",
               .series = {curve("predicted", index, [](double) { return 1.0; }, 0, true), curve("from |w| = 1", index, at(low.fourth), 1), curve("from |w| = 4", index, at(high.fourth), 2)}},
              {.title = "A layer of a network on images", .x_label = "step (lr 0.2, weight decay 0.01)", .y_label = "norm of its weight matrix", .series = {trace}}},
             "Left: under weight decay a scale-invariant weight goes to one norm from above and below, because its gradients are orthogonal to it and grow as it shrinks; time is in steps, 1 / (4 lr wd) = 100 of them being the time constant. "
             "Right: the second layer of a small batch-norm network in training does the same: the norm settles, it does not go to zero.");
}

}  // namespace

extern const Experiment scale{
    "scale", "Weight decay", "What does weight decay do to weights whose size does not matter?",
    "Nothing to the function: loss, gradient and Hessian at cW are 1, 1/c and 1/c^2. It sets the norm, |w|^4 = lr G^2 / (2 wd), and so the angle of a step, sqrt(2 lr wd): a learning-rate schedule, exactly.",
    run, "Halve lr and double weight_decay in the network: the norm changes, the angle per step does not. What happens to the accuracy?"};

}  // namespace evenkeel::lab
