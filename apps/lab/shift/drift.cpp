// Internal covariate shift as Ioffe and Szegedy define it: how activations move while a network trains: claim A2.5.
#include "apps/lab/training.h"
#include "layers/model/inspect.h"

namespace evenkeel::lab {
namespace {

constexpr int64_t every = 75, rarely = 525;  // steps from one look to the next

struct Parameters {
  double lr = 0.1;
  int64_t batch = 64;
  int64_t unit = 0;
  static void each(auto& o, auto&& option) {
    option("lr", o.lr, Range{0, 10}, "learning rate");
    option("batch", o.batch, Range{2, 4096}, "examples in a batch");
    option("unit", o.unit, Range{0, 99}, "the unit that is drawn");
  }
};

struct Trace {
  std::vector<double> steps, low, median, high;  // of one unit, as the paper shows it
  // Means over the units: the last spread over the first; how far medians go in 1500 steps with a point every 75, and
  // in 1575 every 525.
  double spread_growth = 0, path = 0, displacement = 0;
};

// What enters the last sigmoid, for every image and unit.
Tensor entering(Sequential& net, const Tensor& images) {
  Tensor last;
  inspect(net, images, Mode::probe, [&](const LayerIO& s) {
    if (s.layer.describe() == "sigmoid") last = s.x;
  });
  return last;
}

Trace follow(Lab& lab, const Parameters& p, const std::string& norm, uint64_t seed, int64_t steps) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto net = small_network("mlp:100-100-100", norm, "sigmoid", seed);
  const Batch watched = first(data.test, pixels, 500);
  Batches batches(data.train, pixels, p.batch, seed);
  Trace t;
  Tensor looked, seldom_looked;  // medians
  double first_spread = 0;
  for (int64_t at = 0; at <= steps; at += every) {
    if (at) train(*net, batches, {.lr = p.lr}, every);
    const Tensor last = entering(*net, watched.x);
    const Tensor low = percentiles(last, {.15}), median = percentiles(last, {.5}),
                 high = percentiles(last, {.85});  // (1, units)
    const double spread = mean(high - low).item();
    if (!at) first_spread = spread;
    t.spread_growth = spread / first_spread;
    if (at && at <= 1500) t.path += mean(abs(median - looked)).item();
    if (at && at <= 1575 && at % rarely == 0) t.displacement += mean(abs(median - seldom_looked)).item();
    if (at % rarely == 0) seldom_looked = median;
    looked = median;
    t.steps.push_back(static_cast<double>(at));
    t.low.push_back(low.data()[p.unit]), t.median.push_back(median.data()[p.unit]),
        t.high.push_back(high.data()[p.unit]);
  }
  return t;
}

Chart chart(const Trace& t, const Parameters& p, const char* name) {
  return {.title = name,
          .x_label = fmt::format("step (lr {}, batch {})", p.lr, p.batch),
          .y_label = "what enters the sigmoid",
          .series = {{"15 % of 500 images below", t.steps, t.low, 5},
                     {"median", t.steps, t.median, 0},
                     {"85 % below", t.steps, t.high, 5}}};
}

void run(Lab& lab, const Parameters& p) {
  const int64_t steps = lab.quick_or_full(1575, 6000);
  std::vector<double> plain_growth, bn_growth, paths, displacements, plain_moved, bn_moved;
  Trace plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Trace a = follow(lab, p, "none", seed, steps), b = follow(lab, p, "batch", seed, steps);
    if (seed == 1) plain = a, bn = b;
    plain_growth.push_back(a.spread_growth);
    bn_growth.push_back(b.spread_growth);
    paths.push_back(b.path / a.path);
    displacements.push_back(b.displacement / a.displacement);
    plain_moved.push_back(a.displacement / 3), bn_moved.push_back(b.displacement / 3);
  }
  if (!lab.quick())
    lab.between("A2.5", "without: the 15-85 % spread grows 10 to 200 times (PyTorch 57)", 10, 200, plain_growth, true);
  lab.between("A2.5", "with batch norm: it grows at most twice (PyTorch 1.9)", 1, 2, bn_growth, true);
  lab.observed("A2.5", "a median's displacement in 525 steps, mean over units, without", "PyTorch 0.11 in 500",
               plain_moved);
  lab.observed("A2.5", "the same with batch norm", "PyTorch 0.29 in 500", bn_moved);
  lab.only_if("A2.5", "medians move no less with batch norm",
              "every small movement counts: one look in 75 steps, not one in 525",
              fmt::format("in 1500 steps {:.2f}x as far as without; {:.2f}x with one look in 525", mean_of(paths),
                          mean_of(displacements)),
              mean_of(paths) > .9, mean_of(displacements) > .9, true);
  lab.figure(
      {chart(plain, p, "Without normalisation"), chart(bn, p, "With batch normalisation")},
      {.shows = fmt::format("Unit {} of the last hidden layer (3 x 100 sigmoid units, Fashion-MNIST): percentiles of "
                            "its input over 500 fixed images (no unit), against the training step. The vertical "
                            "scales differ.",
                            p.unit),
       .predicted =
           "Without normalisation the spread grows many times over, with it hardly; but its median keeps moving.",
       .seen = fmt::format(
           "Over all units the spread grows {:.3g}-fold without and {:.3g}-fold with batch norm (seed 1); the "
           "medians' path is {:.2f} times as long with it.",
           plain_growth[0], bn_growth[0], paths[0])});
}

}  // namespace

extern const Experiment drift{
    "drift",
    "Internal covariate shift",
    "Do activations drift less with batch normalisation?",
    "Their spread grows far less; their median moves no less, if every small movement counts.",
    "Their spread does: it grows more than ten times without, at most twice with. Their median moves no less, if every "
    "small movement counts: the term explains less than it seems to.",
    run,
    {"Train with a tenth of the learning rate: by how much does the spread still grow with batch norm?", "lr=0.01",
     "with batch norm: it grows", 1, 1.2,
     "Hardly: 1.1 times in 1575 steps, instead of 1.3. How far activations drift is a matter of how far the weights "
     "have moved."}};

}  // namespace evenkeel::lab
