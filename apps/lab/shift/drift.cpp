// Internal covariate shift as Ioffe and Szegedy define it: how activations move while a network trains: claim A2.5.
#include "apps/lab/training.h"
#include "layers/model/inspect.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t every = 75, rarely = 525;  // steps from one look to the next

struct Trace {
  std::vector<double> steps, low, median, high;  // of one unit, as the paper shows it
  // Means over the units: the last spread over the first; how far medians go in 1500 steps with a point every 75, and
  // in 1575 every 525.
  double spread_growth = 0, path = 0, displacement = 0;
  Tensor last;  // all that enters the last sigmoid at the end
};

// What enters the last sigmoid, for every image and unit.
Tensor entering(Sequential& net, const Tensor& images) {
  Tensor last;
  inspect(net, images, Mode::probe, [&](const LayerIO& s) {
    if (s.layer.describe() == "sigmoid") last = s.x;
  });
  return last;
}

Trace follow(Lab& lab, const std::string& norm, uint64_t seed, int64_t steps) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto net = small_network("mlp:100-100-100", norm, "sigmoid", seed);
  const Batch watched = first(data.test, pixels, 500);
  Batches batches(data.train, pixels, 64, seed);
  Trace t;
  Tensor looked, seldom_looked;  // medians
  double first_spread = 0;
  for (int64_t at = 0; at <= steps; at += every) {
    if (at) train(*net, batches, {.lr = .1}, every);
    t.last = entering(*net, watched.x);
    const Tensor low = percentiles(t.last, {.15}), median = percentiles(t.last, {.5}),
                 high = percentiles(t.last, {.85});  // (1, units)
    const double spread = mean(high - low).item();
    if (!at) first_spread = spread;
    t.spread_growth = spread / first_spread;
    if (at && at <= 1500) t.path += mean(abs(median - looked)).item();
    if (at && at <= 1575 && at % rarely == 0) t.displacement += mean(abs(median - seldom_looked)).item();
    if (at % rarely == 0) seldom_looked = median;
    looked = median;
    t.steps.push_back(static_cast<double>(at));
    t.low.push_back(low.data()[0]), t.median.push_back(median.data()[0]), t.high.push_back(high.data()[0]);
  }
  return t;
}

Chart chart(const Trace& t, const char* name) {
  return {.title = name,
          .x_label = "step (lr 0.1, batch 64)",
          .y_label = "what enters the sigmoid",
          .series = {{"15 % of 500 images below", t.steps, t.low, 5},
                     {"median", t.steps, t.median, 0},
                     {"85 % below", t.steps, t.high, 5}}};
}

Series distribution(const Trace& t, const char* name, int color) {
  Series s{name, {}, {}, color};
  const std::vector<int64_t> counts = histogram(t.last, -8, 8, 33);
  for (size_t i = 0; i < counts.size(); ++i) {
    s.x.push_back(-8 + 16 * (static_cast<double>(i) + .5) / 33);
    s.y.push_back(100 * static_cast<double>(counts[i]) / static_cast<double>(t.last.size()));
  }
  return s;
}

double within(const Tensor& x) {  // % between -4 and 4
  return 100 *
         static_cast<double>(std::count_if(x.data(), x.data() + x.size(), [](double v) { return std::abs(v) < 4; })) /
         static_cast<double>(x.size());
}

void run(Lab& lab) {
  const int64_t steps = lab.quick_or_full(1575, 6000);
  std::vector<double> plain_growth, bn_growth, paths, displacements, plain_moved, bn_moved;
  Trace plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Trace p = follow(lab, "none", seed, steps), b = follow(lab, "batch", seed, steps);
    if (seed == 1) plain = p, bn = b;
    plain_growth.push_back(p.spread_growth);
    bn_growth.push_back(b.spread_growth);
    paths.push_back(b.path / p.path);
    displacements.push_back(b.displacement / p.displacement);
    plain_moved.push_back(p.displacement / 3), bn_moved.push_back(b.displacement / 3);
  }
  if (!lab.quick())
    lab.between("A2.5", "without: the 15-85 % spread grows by (elsewhere 57)", 5, 200, plain_growth, true);
  lab.between("A2.5", "with batch norm: it grows by (elsewhere 1.9)", .5, 4, bn_growth, true);
  lab.observed("A2.5", "a median's displacement in 525 steps, mean over units, without", "elsewhere 0.11 in 500",
               plain_moved);
  lab.observed("A2.5", "the same with batch norm", "elsewhere 0.29", bn_moved);
  lab.only_if("A2.5", "medians move no less with batch norm",
              "every jitter counts: looked at every 75 steps, not every 525",
              fmt::format("in 1500 steps {:.2f}x as far as without; {:.2f}x with one look in 525", mean_of(paths),
                          mean_of(displacements)),
              mean_of(paths) > .9, mean_of(displacements) > .9, true);
  lab.figure(
      {chart(plain, "Without normalisation"), chart(bn, "With batch normalisation")},
      {.shows = "The first unit of the last hidden layer (3 x 100 sigmoid units, Fashion-MNIST): percentiles of what "
                "enters it over "
                "500 fixed images (no unit), against the training step. The vertical scales differ.",
       .predicted =
           "Without normalisation the spread grows many times over, with it hardly; yet its median keeps moving.",
       .seen = fmt::format(
           "Over all units the spread grows {:.3g}-fold without and {:.3g}-fold with batch norm (seed 1); the "
           "medians' path is {:.2f} times as long with it.",
           plain_growth[0], bn_growth[0], paths[0])});
  lab.figure(
      {{.title = "At the end",
        .x_label = "what enters the last sigmoids",
        .y_label = "% of 500 images x 100 units, in bins of 0.48",
        .series = {distribution(plain, "measured, without", 1), distribution(bn, "measured, with batch norm", 2)}}},
      {.shows = "A histogram of what enters all units of the last hidden layer when training ends (horizontal, no "
                "unit; the outermost bins "
                "hold what lies beyond).",
       .predicted =
           "A sigmoid is flat beyond about 4: with batch norm, whose gamma starts at 1, most values stay between.",
       .seen = fmt::format("Between -4 and 4 lie {:.0f} % without and {:.0f} % with batch norm.", within(plain.last),
                           within(bn.last))});
}

}  // namespace

extern const Experiment drift{
    "drift",
    "Internal covariate shift",
    "Do activations drift less with batch normalisation?",
    "Their spread does: it grows tens of times without, at most a few times with. Their median moves no less, if "
    "every jitter counts: the name explains less than it seems to.",
    run,
    "Follow another unit: replace data()[0] in follow() by data()[7]. Are all medians as restless?"};

}  // namespace evenkeel::lab
