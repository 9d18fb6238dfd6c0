// Scale-invariant weights: claims A8.1 to A8.5, A8.9, A8.10 and A8.12.
#include "apps/lab/training.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/curvature/movement.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double eps = 1e-5;
  static void each(auto& o, auto&& option) {
    option("eps", o.eps, Range{0, 1}, "what is added to the variance under the root");
  }
};

// A layer of four units with batch norm, and a loss.
struct Problem {
  explicit Problem(Random& random, double floor)
      : x(Tensor::normal({12, 5}, random)),
        b(Tensor::normal({4}, random).track()),
        gamma(Tensor::normal({4}, random).track()),
        eps(floor) {}
  Tensor logits(const Tensor& w) const { return batch_norm(add_per_channel(matmul(x, w), b), gamma, zeros(4), eps).y; }
  Tensor loss(const Tensor& w) const { return cross_entropy(logits(w), {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}); }
  Tensor x, b, gamma;
  double eps;
};

void invariance(Lab& lab, Random& random) {
  const Problem p(random, 0);
  const Tensor w = Tensor::normal({5, 4}, random).track(), w3 = (w.detach() * 3).track(),
               v = Tensor::normal({5, 4}, random);
  const Tensor g = grad(p.loss(w), {w})[0].detach(), g3 = grad(p.loss(w3), {w3})[0].detach();
  lab.equal("A8.1", "loss at 3 W", p.loss(w).item(), p.loss(w3).item(), 1e-13);
  const auto moments = [&](const Tensor& at) { return standardise(matmul(p.x, at.detach()), 0); };
  lab.same("A8.1", "mean of the pre-activations at 3 W: three times that at W", moments(w).mean * 3, moments(w3).mean,
           1e-13);
  lab.same("A8.1", "and their deviation", sqrt(moments(w).var) * 3, sqrt(moments(w3).var), 1e-13);
  lab.same("A8.1", "at -3 W: xhat changes its sign, and nothing else", p.logits(w).detach() * -1.0,
           p.logits(w3 * -1.0).detach(), 1e-13);
  lab.same("A8.2", "gradient at 3 W: a third", g / 3.0, g3, 1e-13);
  const Tensor hv = hessian_vector_product([&] { return p.loss(w); }, {w}, {v})[0].detach();
  lab.same("A8.2", "Hessian at 3 W: a ninth", hv / 9.0,
           hessian_vector_product([&] { return p.loss(w3); }, {w3}, {v})[0].detach(), 1e-13);
  for (double eps : {0.0, 1e-3, 0.5}) {
    Problem q = p;
    q.eps = eps;
    const Grads d = grad(q.loss(w), {w, q.gamma, q.b});
    const Normalized n = standardise(add_per_channel(matmul(q.x, w), q.b), eps);
    lab.same("A8.3", fmt::format("$<W_k, dW_k> = eps / (sigma_k^2 + eps) gamma_k dgamma_k$, eps = {}", eps),
             q.gamma.detach() * d[1].detach() * (reciprocal(n.var.detach() + eps) * eps),
             sum_rows(w.detach() * d[0].detach()), 1e-13);
    lab.equal("A8.3", fmt::format("the gradient of a bias before batch norm, eps = {}", eps), 0, l2_norm(d[2]), 1e-13);
  }
  const Tensor hw = hessian_vector_product([&] { return p.loss(w); }, {w}, {w.detach()})[0].detach();
  lab.same("A8.4", "$H w$ is minus the gradient, along w", g * -1.0, hw, 1e-13);
  lab.equal("A8.4", "$w' H w = 0$", 0, dot(w.detach(), hw).item(), 1e-13);
  // Gradients orthogonal to w: every SGD step makes it longer.
  double apart = 0, shorter = 0;
  for (int t = 0; t < 100; ++t) {
    const Tensor step = grad(p.loss(w), {w})[0].detach() * .3;
    const double before = l2_norm(w), predicted = before * before + std::pow(l2_norm(step), 2);
    Tensor(w).copy_from(w.detach() - step);
    apart = std::max(apart, std::abs(std::pow(l2_norm(w), 2) / predicted - 1));
    shorter += l2_norm(w) < before;
  }
  lab.equal("A8.5", "each of 100 plain steps adds $lr^2 |g|^2$ to $|W|^2$: the largest relative error", 0, apart,
            1e-13);
  lab.equal("A8.5", "steps that make $|W|$ smaller", 0, shorter, 0);
}

void conventions(Lab& lab, Random& random) {
  Tensor w = Tensor::normal({7}, random).track(), penalty = dot(w, w) * .05;  // lambda |w|^2, lambda = 0.05
  lab.equal("A8.9", "the penalty at 3 W is nine times that at W", 9 * penalty.item(), dot(w * 3, w * 3).item() * .05);
  const Tensor g = Tensor::normal({7}, random);
  Tensor by_sgd = w.detach().clone();
  Sgd sgd({{"w", by_sgd, true}}, {.lr = .1, .weight_decay = .1});
  sgd.step({g});
  lab.same("A8.9", "the penalty $lambda |W|^2$ is weight decay $2 lambda$",
           w.detach() - (g + grad(penalty, {w})[0].detach()) * .1, by_sgd, 1e-14);
  lab.same("A8.12", "plain SGD: the decoupled form w (1 - lr wd) - lr g is the same", w.detach() * (1 - .01) - g * .1,
           by_sgd, 1e-14);
  Sequential net(Dense(3, 4, random), BatchNorm(4));
  std::string decays;
  for (const Parameter& p : parameters(net)) decays += p.decay ? p.name + " " : "";
  lab.yes("A8.12", "decayed by default: weights, and neither gamma, beta nor biases", decays == "0.weight ");
}

// A unit with batch norm trains to compute what it did at the start while its one weight decays from 10 to 1, and the
// variance before the batch norm from 100 to 1. The only cause of change is the decay.
struct Shrunk {
  Series gamma;   // against the weight over that at the start
  double output;  // its deviation at the end over that at the start
  int64_t steps = 0;
};
constexpr double shrink_lr = .5, shrink_decay = .01;
Shrunk shrink(double eps, Random& random) {
  const Tensor x = standardise(Tensor::normal({64, 1}, random), 0).y;
  Tensor w = Tensor::full({1, 1}, 10).track(), gamma = ones(1).track();
  const auto output = [&] { return batch_norm(matmul(x, w), gamma, zeros(1), eps).y; };
  const Tensor target = output().detach();
  Sgd sgd({{"w", w, true}, {"gamma", gamma, false}}, {.lr = shrink_lr, .weight_decay = shrink_decay});
  Shrunk s;
  const auto note = [&] { s.gamma.x.push_back(w.item() / 10), s.gamma.y.push_back(gamma.item()); };
  for (; w.item() > 1 && s.steps < 3000; ++s.steps) {
    if (s.steps % 10 == 0) note();
    sgd.step(grad(mean(square(output() - target)) * .5, {w, gamma}));
  }
  note();
  s.output = l2_norm(output().detach()) / l2_norm(target);
  return s;
}

// "... can drive |W| -> 0 ..., while the network can counteract this by learning a larger scaling parameter gamma".
Chart growth(Lab& lab, Random& random) {
  Shrunk none = shrink(0, random), one = shrink(1, random);
  const auto law = [](double c) { return std::sqrt((1 + 1 / (100 * c * c)) / 1.01); };  // c: w over that at the start
  // To first order in wd: gamma is late by the share at which it grows as fast as its law does. The gradient of this
  // error slows the decay of w.
  const double c = one.gamma.x.back(), end = law(c), variance = 100 * c * c, q = 1 / (variance + 1),
               late = shrink_decay * q / (variance * q + q * q / (1.01 * variance));
  lab.equal("A8.10", "trained under decay, eps = 0: w is $(1 - lr wd)^t$ of that at the start, down to a tenth",
            std::pow(1 - shrink_lr * shrink_decay, static_cast<double>(none.steps)), none.gamma.x.back());
  lab.equal("A8.10", "and gamma stays at 1", 1, none.gamma.y.back());
  const double second_order = shrink_decay * shrink_decay;  // what a law of first order in wd leaves out
  lab.equal("A8.10", "the same, eps = 1, variance from 100 to 1: gamma grows to $sqrt(2 / 1.01) (1 - 2/3 wd)$",
            end * (1 - late), one.gamma.y.back(), second_order);
  lab.equal("A8.10", "and the output keeps its deviation: the share that is left", 1 - late, one.output, second_order);
  none.gamma.name = "measured, eps = 0", none.gamma.color = 1, one.gamma.name = "measured, eps = 1",
  one.gamma.color = 2;
  return {.title = "What gamma learns while decay shrinks the weight",
          .x_label = "weight over that at the start",
          .y_label = "gamma",
          .series = {curve("predicted, eps = 1", grid(.1, 1, 46), law, 0, true), none.gamma, one.gamma}};
}

void run(Lab& lab, const Parameters& p) {
  Random random(3);
  invariance(lab, random);
  conventions(lab, random);
  // W -> 0: gamma must grow only once the variance falls to eps.
  const Tensor unit = standardise(Tensor::normal({512, 1}, random), 0).y;
  const auto kept = [&](double c) { return std::sqrt(mean(square(standardise(unit * c, p.eps).y)).item()); };
  if (lab.standard())
    lab.same("A8.10", "output that weights scaled by c = .1 .01 .003 .001 keep, against the table",
             {.9995, .9535, .688, .3015}, {kept(.1), kept(.01), kept(.003), kept(.001)}, 3e-4);
  std::vector<double> factors;
  for (double l : grid(-4, 1, 41)) factors.push_back(std::pow(10, l));
  const auto law = [&](double c) { return std::exp2(-.5 * std::log2(1 + p.eps / (c * c))); };
  lab.same("A8.10", "$c / sqrt(c^2 + eps / sigma^2)$, over five decades", curve("", factors, law, 0).y,
           curve("", factors, kept, 0).y);
  lab.equal("A8.10", "output kept at c = 0.001", law(.001), kept(.001));
  lab.only_if("A8.10", "as $|W| -> 0$ a larger gamma must make up for it", "the variance is near eps",
              fmt::format("{:.4f} is kept at W/10, {:.4f} at W/1000", kept(.1), kept(.001)), kept(.001) < .9,
              kept(.1) < .9);
  const Chart learned = growth(lab, random);
  lab.figure(
      {{.title = "What is left of the output",
        .x_label = "factor c on the weights",
        .y_label = "standard deviation of xhat",
        .series = {curve("predicted: c / sqrt(c^2 + eps)", factors, law, 0, true), curve("measured", factors, kept, 1)},
        .log_x = true},
       learned},
      {.shows = "Left: all weights before batch norm are multiplied by c (horizontal, logarithmic); vertically the "
                "standard deviation of the output, for a unit whose variance was 1 (no units). Right: a unit trains to "
                "keep its output while decay shrinks its weight (horizontal, read from the right) to a tenth, and its "
                "variance from 100 to 1; vertically its gamma.",
       .predicted = "Left, nothing changes until the variance falls to eps, at $c = sqrt(eps)$. The text's sentence "
                    "that gamma must counteract W going to 0 is true only there. Right, gamma is proportional to "
                    "$sqrt(1 + eps / sigma^2)$: it stays for eps = 0, and grows for eps = 1.",
       .seen = fmt::format("Left, {:.4f} is left at c = 0.1, {:.3f} at 0.003, {:.3f} at 0.001. Right, gamma ends at "
                           "{:.3f} for eps = 0, and at {:.3f} for eps = 1.",
                           kept(.1), kept(.003), kept(.001), learned.series[1].y.back(), learned.series[2].y.back())});
}

}  // namespace

extern const Experiment scale{
    "scale",
    "Weight decay",
    "Does the size of weights before batch normalisation matter?",
    "Not for the function, but the larger the weights, the smaller the gradient.",
    "Not for the function, as long as the variance is far above eps: loss, gradient and Hessian at cW are 1, 1/c "
    "and $1/c^2$ of those at W; the gradient is orthogonal to W, so that plain steps only make it longer. "
    "While decay shrinks W, gamma grows only if the variance comes near eps.",
    run,
    {"Set eps to 0: how small may the weights become now?", "eps=0", "output kept", 0.999999, 1.000001,
     "As small as you like: without eps the output does not depend on the weights' size at all, and gamma need not "
     "grow."}};

}  // namespace evenkeel::lab
