// Two laboratories with a batch effect: normalising each separately removes it, and also the signal if laboratory and
// class are confounded: claim A10.3.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double share = 0.5;
  static void each(auto& o, auto&& option) {
    option("share", o.share, Range{0, 1}, "share of class 1 in laboratory 1");
  }
};

constexpr int64_t n = 400, features = 5;  // samples of one laboratory

// Half of the samples of class 1 in laboratory 0, `share` in 1; or all of laboratory 1's and none of laboratory 0's.
struct Study {
  Tensor x;  // (2 n, features): first laboratory 0, then 1
  Labels classes;
};
Study study(bool confounded, double share, double effect, Random& random) {
  Study s{Tensor::normal({2 * n, features}, random), {}};
  for (int64_t i = 0; i < 2 * n; ++i)
    s.classes.push_back(confounded ? i >= n : i < n ? i % 2 : static_cast<double>(i - n) < share * n);
  for (int64_t i = 0; i < 2 * n; ++i)
    for (int64_t f = 0; f < features; ++f) {
      double& v = s.x.mutable_data()[i * features + f];
      v += s.classes[static_cast<size_t>(i)] ? 1 : -1;  // the signal
      if (i >= n) v = v * (1 + effect / 4) + effect;    // laboratory 1's scale and offset
    }
  return s;
}

Tensor pooled(const Tensor& x) { return standardise(x, 0).y; }
Tensor by_laboratory(const Tensor& x) {
  return BatchNorm(features, {.eps = 1e-12, .ghost = n}).forward(x, Mode::train).detach();
}  // a ghost batch each

// The sum of the features against its mean: the best line for this signal.
double accuracy(const Tensor& y, const Labels& classes) {
  const Tensor score = sum_channels(y);
  const double threshold = mean(score).item();
  double right = 0;
  for (size_t i = 0; i < classes.size(); ++i) right += (score.data()[i] > threshold) == (classes[i] == 1);
  return right / static_cast<double>(classes.size());
}

void run(Lab& lab, const Parameters& p) {
  const std::vector<double> effects = grid(0, 12, 13);
  Series raw{"measured, pooled statistics", effects, {}, 1}, own{"measured, each laboratory's own", effects, {}, 2},
      lost{"measured, own statistics, confounded", effects, {}, 3};
  for (double e : effects) {
    Random same(1), again(1);
    raw.y.push_back(accuracy(pooled(study(false, p.share, e, same).x), study(false, p.share, e, again).classes));
    Random r1(1), r2(1);
    const Study fair = study(false, p.share, e, r1), unfair = study(true, p.share, e, r2);
    own.y.push_back(accuracy(by_laboratory(fair.x), fair.classes));
    lost.y.push_back(accuracy(by_laboratory(unfair.x), unfair.classes));
  }
  Random a(1), b(1), c(2);
  const Study none = study(false, p.share, 0, a), strong = study(false, p.share, 12, b),
              confounded = study(true, p.share, 12, c);
  lab.same("A10.3", "own statistics: the data are the same with and without the batch effect", by_laboratory(none.x),
           by_laboratory(strong.x));
  // 2 sqrt(5) standard deviations apart: Phi(sqrt(5)).
  lab.between("A10.3", "own statistics: accuracy, $Phi(sqrt(5)) = .987 +- .016$", .971, 1, {own.y.back()});
  lab.between("A10.3", "pooled statistics: under the strong effect little better than a coin", .45, .65,
              {raw.y.back()});
  const Tensor clean = by_laboratory(confounded.x);
  double difference = 0;
  for (int64_t f = 0; f < features; ++f)
    for (int64_t i = 0; i < 2 * n; ++i)
      difference += (i < n ? -1.0 : 1.0) * clean.data()[i * features + f] / static_cast<double>(n);
  lab.equal("A10.3", "confounded: the difference of the classes' means that is left", 0, difference, 1e-12);
  lab.between("A10.3", "confounded: accuracy, a coin's (four standard errors)", .5 - 2 / std::sqrt(2.0 * n),
              .5 + 2 / std::sqrt(2.0 * n), {lost.y.back()});
  lab.figure(
      {{.title = "Batch effects",
        .x_label = "offset of laboratory 1, in standard deviations",
        .y_label = "share of samples classified right",
        .series = {curve(
                       "predicted, own statistics: Phi(sqrt 5)", effects, [](double) { return Phi(std::sqrt(5.0)); }, 0,
                       true),
                   raw, own,
                   curve(
                       "predicted, confounded: a coin", effects, [](double) { return 0.5; }, 7, true),
                   lost}}},
      {.shows =
           "Two laboratories measure five features of 400 samples each; the second one's values are offset "
           "(horizontal, in standard "
           "deviations) and stretched. Vertically the share of samples whose class a linear classifier gets right.",
       .predicted = "Normalised together, the offset is mistaken for the class. Normalised separately, it has no "
                    "effect at all. But if all samples of one laboratory are of one class, the class is removed with "
                    "the offset: no statistics can separate them.",
       .seen = fmt::format(
           "At the largest offset {:.3f} with pooled statistics, {:.3f} with each laboratory's own, {:.3f} where "
           "laboratory and class coincide.",
           raw.y.back(), own.y.back(), lost.y.back())});
}

}  // namespace

extern const Experiment two_labs{
    "two_labs",
    "Applications",
    "Can separate statistics make two laboratories comparable?",
    "Yes, exactly, if each has both classes; if laboratory and class coincide, the signal goes too.",
    "Yes, exactly, where each has both classes: an affine batch effect leaves no trace. Where laboratory and class "
    "coincide the class difference goes too, and accuracy is a coin's.",
    run,
    {"Let 90 % of laboratory 1 be of class 1, and half of laboratory 0: how much do own statistics cost now?",
     "share=0.9", "own statistics: accuracy", 0.75, 0.9,
     "Accuracy falls from 0.98 to 0.83. Laboratory 1's own mean is now mostly the mean of class 1: part of the "
     "difference of the classes is taken for a difference of the laboratories."}};

}  // namespace evenkeel::lab
