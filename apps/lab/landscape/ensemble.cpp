// Is a network with batch normalisation an ensemble? Every batch makes another network of it; how far the mean of many
// is from inference, and what they lose one by one: claim A4.12.
#include "apps/lab/training.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/recalibrate.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t width = 64, classes = 10, points = 4096, members = 32;

struct Parameters {
  int64_t batch = 32;
  static void each(auto& o, auto&& option) { option("batch", o.batch, Range{4, points / 4}, "examples in a batch"); }
};

// m (E xhat - x), of an example fixed at x among m - 1 draws from N(0, 1).
double offset(double x, int64_t m, int batches, Random& random) {
  Sample sample;
  for (int i = 0; i < batches; ++i) {
    Tensor batch = Tensor::normal({m, 256}, random);
    std::fill_n(batch.mutable_data(), 256, x);
    const Tensor y = standardise(batch, 0).y;
    for (int64_t k = 0; k < 256; ++k) sample.add(y.data()[k] - x);
  }
  return static_cast<double>(m) * sample.mean();
}

// A network, and the points of which its batches are drawn. Inference has their mean and variance.
struct Trained {
  Sequential net;
  Batch all;
  Tensor inference;  // logits (points, classes)
};
Trained trained(int64_t batch, uint64_t seed) {
  Random random(seed);
  Points source(width, classes, 0.15, seed);
  Trained p{Sequential{Dense(width, width, random), BatchNorm(width), Relu(), Dense(width, classes, random)}, {}, {}};
  train(
      p.net, [&] { return source.draw(batch); }, {.lr = 0.1}, 500);
  p.all = source.draw(points);
  recalibrate(p.net, [&](const auto& use) { use(p.all.x); });
  p.inference = p.net.forward(p.all.x, Mode::eval).detach();
  return p;
}

// To first order an example y in the batch of x changes logit j of x by phi_j / m,
//   phi_j(x, y) = -sum_k W_jk gamma_k [unit k is active] (yhat_k + xhat_k (yhat_k^2 - 1) / 2).
// The numbers of a law are means over x, and need only the network of inference.
struct Law {
  double variance;  // of phi over y, mean over the logits: m times a logit's variance over batches
  double loss;      // half the variance of phi over the softmax's classes: m times a member's loss beyond the mean's
};
Law law(Trained& p) {
  const auto& first = dynamic_cast<Dense&>(p.net[0]);
  const auto& norm = dynamic_cast<BatchNorm&>(p.net[1]);
  const auto& last = dynamic_cast<Dense&>(p.net[3]);
  const Tensor xhat = standardise(linear(p.all.x, first.weight, first.bias)).y.detach();
  Tensor causes = Tensor::empty({points, 2 * width}), effects = Tensor::empty({points * classes, 2 * width});
  double *c = causes.mutable_data(), *e = effects.mutable_data();
  for (int64_t i = 0; i < points; ++i)
    for (int64_t k = 0; k < width; ++k) {
      const double v = xhat.data()[i * width + k], gamma = norm.gamma.data()[k];
      c[i * 2 * width + k] = v, c[i * 2 * width + width + k] = (v * v - 1) / 2;
      for (int64_t j = 0; j < classes; ++j) {
        const double d = gamma * v + norm.beta.data()[k] > 0 ? last.weight.data()[j * width + k] * gamma : 0;
        double* row = e + (i * classes + j) * 2 * width;
        row[k] = d, row[width + k] = d * v;
      }
    }
  const Tensor covariance = matmul(causes, causes, true) * (1. / points);
  const Tensor spread = matmul(effects, covariance), odds = softmax(p.inference);
  Law mean{0, 0};
  for (int64_t i = 0; i < points; ++i)
    for (int64_t j = 0; j < classes; ++j)
      for (int64_t l = 0; l < classes; ++l) {
        double cov = 0;  // of phi_j and phi_l
        for (int64_t k = 0; k < 2 * width; ++k)
          cov += spread.data()[(i * classes + j) * 2 * width + k] * effects.data()[(i * classes + l) * 2 * width + k];
        const double pj = odds.data()[i * classes + j], pl = odds.data()[i * classes + l];
        if (j == l) mean.variance += cov / (points * classes);
        mean.loss += ((j == l ? pj : 0) - pj * pl) * cov / 2 / points;
      }
  return mean;
}

// Every point in `members` random batches of m: of a logit the variance over batches, and the mean square distance from
// inference of one member and of the mean of all; losses of the mean of 1, 2, ... members.
struct Ensemble {
  double variance = 0, one = 0, all = 0;
  std::vector<double> loss;  // its first is the mean over all members
  double excess() const { return loss.front() - loss.back(); }
};
Ensemble ensemble(Trained& p, int64_t m, Random& random) {
  const Recording off(false);
  Ensemble e;
  Tensor sum = Tensor::zeros({points, classes});
  double single = 0;
  for (int64_t n = 1; n <= members; ++n) {
    const std::vector<int64_t> order = random.permutation(points);
    for (int64_t b = 0; b < points / m; ++b) {
      const std::vector<int64_t> rows(order.begin() + b * points / (points / m),
                                      order.begin() + (b + 1) * points / (points / m));
      const Tensor apart = p.net.forward(gather_rows(p.all.x, rows), Mode::probe) - gather_rows(p.inference, rows);
      e.one += evenkeel::sum(apart * apart).item();
      sum = sum + scatter_rows(apart, rows, points);
      std::vector<int32_t> labels;
      for (int64_t row : rows) labels.push_back(p.all.labels[static_cast<size_t>(row)]);
      single += cross_entropy(apart + gather_rows(p.inference, rows), labels).item() *
                static_cast<double>(rows.size()) / (points * members);
    }
    e.loss.push_back(cross_entropy(p.inference + sum * (1. / static_cast<double>(n)), p.all.labels).item());
  }
  e.loss.front() = single;
  const double values = points * classes;
  e.all = evenkeel::sum(sum * sum).item() / members / members / values;
  e.one /= members * values;
  e.variance = (e.one - e.all) * members / (members - 1);
  return e;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t m = p.batch, large = 4 * m;
  const int batches = 400;
  for (const auto& [x, low, high] : {std::tuple{2., -2.9, -2.1}, {1., 0., .5}})
    lab.between("A4.12",
                fmt::format("one unit at x = {}: $m (E xhat - x)$, x (3 - 2 x^2) / 4 = {}, batches of 128", x,
                            x * (3 - 2 * x * x) / 4),
                low, high, {offset(x, 128, batches, random)});
  std::vector<double> small_law, large_law, loss_law, nearer, off;
  const std::vector<double> sizes =
      lab.quick() ? std::vector<double>{8, 32, 128} : std::vector<double>{8, 16, 32, 64, 128, 256};
  Series one{"one member", sizes, {}, 1}, mean{"mean of 32 members", sizes, {}, 2},
      predicted{"predicted, one member", sizes, {}, 0, true};
  std::vector<double> number;
  for (int64_t n = 1; n <= members; ++n) number.push_back(static_cast<double>(n));
  Series seen{"measured", number, {}, 1}, expected{"predicted from the first", number, {}, 0, true},
      inference{"inference", number, {}, 2};
  for (uint64_t seed : lab.seeds()) {
    Trained population = trained(m, seed);
    const Law formula = law(population);
    const auto drawn = [](double size) { return (points - size) / (points - 1) / size; };  // 1 / m, not put back
    const Ensemble few = ensemble(population, m, random), many = ensemble(population, large, random);
    const auto size = static_cast<double>(m);
    const double plain = cross_entropy(population.inference, population.all.labels).item();
    small_law.push_back(few.variance / (formula.variance * drawn(size)));
    large_law.push_back(many.variance / (formula.variance * drawn(4 * size)));
    loss_law.push_back(many.excess() / (formula.loss * drawn(4 * size) * (1 - 1. / members)));
    nearer.push_back(std::sqrt(few.all / few.one));
    off.push_back(std::abs(few.loss.back() - plain) / few.excess());
    if (seed != 1) continue;
    for (double s : sizes) {
      const Ensemble e = ensemble(population, static_cast<int64_t>(s), random);
      one.y.push_back(std::sqrt(e.one)), mean.y.push_back(std::sqrt(e.all));
      predicted.y.push_back(std::sqrt(formula.variance * drawn(s)));
    }
    seen.y = few.loss;
    for (double n : number) {
      expected.y.push_back(few.loss.front() - (1 - 1 / n) * formula.loss * drawn(size));
      inference.y.push_back(plain);
    }
  }
  lab.between("A4.12", fmt::format("a logit's variance over batches of {}, over the law", large), .93, 1.1, large_law);
  if (!lab.quick())
    lab.not_found_again("A4.12", fmt::format("the same for batches of {}", m), .95, 1.3, small_law,
                        "A unit's variance is larger than its law in small batches (`noise`), so more than 0.95 was "
                        "predicted for a logit's too. A logit's is smaller: 0.94 to 0.96 of the law.");
  lab.between("A4.12", fmt::format("batches of {}: loss of one member beyond that of the mean, over the law", large),
              .85, 1.15, loss_law);
  lab.between("A4.12", "distance from inference: the mean of 32 members' over one member's", .18, .35, nearer);
  lab.between("A4.12",
              fmt::format("batches of {}: loss of the mean less that of inference, over what one member loses more", m),
              0, .5, off);
  lab.figure(
      {{.title = "How far from inference",
        .x_label = "batch size",
        .y_label = "distance of a logit (root mean square)",
        .series = {predicted, one, mean},
        .log_x = true,
        .log_y = true},
       {.title = "What an ensemble gains",
        .x_label = fmt::format("members averaged, batches of {}", m),
        .y_label = "cross-entropy",
        .series = {expected, seen, inference},
        .log_x = true}},
      {.shows = fmt::format(
           "A 64-64-10 network with batch norm and ReLUs, trained on drawn points of ten classes (batches of {}, "
           "seed 1). A member is the network that one random batch makes of it in training mode; each of {} "
           "points is in 32 such batches. Left: how far a logit (no unit) is from its value in inference, root "
           "mean square over points and classes, against the batch size; both axes logarithmic. Right: the "
           "cross-entropy of the mean logits, against the number of members in the mean (logarithmic). For one "
           "member it is the mean over all 32.",
           m, points),
       .predicted = "One member's distance is $sqrt(V / m)$. The mean over n members of batches of m loses "
                    "$(1 - 1 / n) R / m$ less than one member, and as much as inference.",
       .seen = fmt::format("One member loses {:.4f}, the mean of 32 {:.4f}, inference {:.4f}.", seen.y.front(),
                           seen.y.back(), inference.y[0])});
}

}  // namespace

extern const Experiment ensemble_experiment{
    "ensemble",
    "Smoothing the landscape",
    "Is a network with batch normalisation an ensemble?",
    "Yes, of the networks that random batches make: their mean answers as inference does, and what a single one loses "
    "more than the mean follows a formula.",
    "A batch changes a logit by the mean of what its m examples contribute, so that the logit's variance over batches "
    "is V / m, with V from the network of inference: 0.93 to 1.1 times that at m = 128, 0.95 to 1.3 times at m = 32. "
    "One member loses more than the mean of all by R / m, R from the same formula: within 15 % at m = 128. The mean of "
    "32 members is 0.27 times as far from inference as one member, $sqrt(1 / 32 + 1.375 / m)$ at m = 32: averaging "
    "divides the noise of a unit, and leaves its offset $x (3 - 2 x^2) / (4 m)$. The mean loses as much as inference, "
    "within half of what one member loses more.",
    run,
    {"Take batches of 8 instead of 32: does averaging help as much?", "batch=8", "distance from inference", 0.3, 0.65,
     "Less: the mean of 32 members is 0.37 times as far from inference as one member, instead of 0.26. All members "
     "share an error of the order of 1 / m, which averaging does not remove."}};

}  // namespace evenkeel::lab
