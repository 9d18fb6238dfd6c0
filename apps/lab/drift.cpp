// Internal covariate shift in both definitions: how activations move while a network trains, and how gradients do: claims A2.5, A2.6.
#include "apps/lab/train.h"
#include "core/reduce.h"

namespace evenkeel::lab {
namespace {

// What enters the last sigmoid: everything up to the last two layers.
Tensor last_hidden(Sequential& net, const Tensor& x) {
  const Recording off(false);
  Tensor y = x;
  for (size_t i = 0; i + 2 < net.size(); ++i) y = net[i].forward(y, Mode::probe);
  return y;
}

std::vector<double> percentiles(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto at = [&](double p) { return v[static_cast<size_t>(p * static_cast<double>(v.size() - 1))]; };
  return {at(.15), at(.5), at(.85)};
}

struct Trace {
  std::vector<double> steps, low, median, high;  // of one unit, as the paper shows it
  double spread_growth = 0, path = 0, displacement = 0;  // mean over units: last spread over first; in 1500 steps, the length of the median's
                                                           // path with a point every 75 steps, and with one every 525
  std::vector<double> cosine_steps, cosines, accuracy;
};

// The cosine of a layer's gradient before and after the layers below it have taken their step on the same batch.
double shift_cosine(Sequential& net, const Batch& batch, double lr) {
  std::vector<Parameter> all = parameters(net);
  const auto gradients = [&] { return grad(cross_entropy(net.forward(batch.x, Mode::probe), batch.labels), values(all)); };
  const Grads before = gradients();
  size_t last = 0;  // the last hidden layer's weight: the last but one that decays
  for (size_t i = 0, seen = 0; i < all.size(); ++i) seen += all[all.size() - 1 - i].decay, last = seen == 2 && !last ? all.size() - 1 - i : last;
  std::vector<Tensor> kept;
  for (size_t i = 0; i < last; ++i) {
    kept.push_back(all[i].value.clone());
    Tensor(all[i].value).copy_from(all[i].value.detach() - before[i].detach() * lr);
  }
  const Tensor g = before[last].detach(), h = gradients()[last].detach();
  for (size_t i = 0; i < last; ++i) Tensor(all[i].value).copy_from(kept[i]);
  return dot(g, h).item() / std::sqrt(dot(g, g).item() * dot(h, h).item());
}

Trace follow(Lab& lab, const std::string& norm, uint64_t seed, int64_t steps) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const auto net = small_network("mlp:100-100-100", norm, "sigmoid", seed);
  const Batch watched = first(data.test, pixels, 500);
  Batches batches(data.train, pixels, 64, seed);
  Trace t;
  const int64_t every = 75, rarely = 7;  // steps from one look to the next; looks between displacements
  std::vector<std::vector<double>> first_units, last_units, before_units;
  for (int64_t at = 0; at <= steps; at += every) {
    if (at) train(*net, batches, {.lr = .1}, every);
    const Tensor z = last_hidden(*net, watched.x);
    std::vector<std::vector<double>> units;
    for (int64_t u = 0; u < 100; ++u) {
      std::vector<double> v;
      for (int64_t i = 0; i < z.rows(); ++i) v.push_back(z.data()[i * 100 + u]);
      units.push_back(percentiles(v));
      const size_t k = static_cast<size_t>(u);
      if (at && at <= 1500) t.path += std::abs(units[k][1] - last_units[k][1]) / 100;
      if (at && at <= 1575 && at % (every * rarely) == 0) t.displacement += std::abs(units[k][1] - before_units[k][1]) / 100;
    }
    if (!at) first_units = units;
    if (at % (every * rarely) == 0) before_units = units;
    last_units = units;
    t.steps.push_back(static_cast<double>(at));
    t.low.push_back(units[0][0]), t.median.push_back(units[0][1]), t.high.push_back(units[0][2]);
    if (at % (every * rarely) != 0) continue;
    t.cosine_steps.push_back(static_cast<double>(at));
    t.cosines.push_back(shift_cosine(*net, watched, .1));
    t.accuracy.push_back(accuracy(*net, watched, Mode::probe));
  }
  double before = 0, after = 0;
  for (size_t u = 0; u < 100; ++u) before += first_units[u][2] - first_units[u][0], after += last_units[u][2] - last_units[u][0];
  t.spread_growth = after / before;
  return t;
}

double mean_of(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x / static_cast<double>(v.size());
  return s;
}

void run(Lab& lab) {
  const int64_t steps = lab.quick_or_full(1575, 6000);
  std::vector<double> plain_growth, bn_growth, paths, displacements, plain_cosine, bn_cosine;
  Trace plain, bn;
  for (uint64_t seed : lab.seeds()) {
    const Trace p = follow(lab, "none", seed, steps), b = follow(lab, "batch", seed, steps);
    if (seed == 1) plain = p, bn = b;
    plain_growth.push_back(p.spread_growth);
    bn_growth.push_back(b.spread_growth);
    paths.push_back(b.path / p.path);
    displacements.push_back(b.displacement / p.displacement);
    plain_cosine.push_back(mean_of(p.cosines));
    bn_cosine.push_back(mean_of(b.cosines));
  }
  if (!lab.quick()) lab.between("A2.5", "without: the 15-85 % spread grows by", 5, 200, plain_growth, true);
  lab.between("A2.5", "with batch norm: it grows by", .5, 4, bn_growth, true);
  lab.only_if("A2.5", "medians move no less with batch norm", "every jitter counts: looked at every 75 steps, not every 525",
              fmt::format("in 1500 steps {:.2f}x as far as without; {:.2f}x with one look in 525", mean_of(paths), mean_of(displacements)), mean_of(paths) > .9, mean_of(displacements) > .9);
  lab.observed("A2.6", "cosine of a gradient before and after the layers below moved, without", "", plain_cosine);
  lab.observed("A2.6", "the same with batch norm; Santurkar et al. 2018 found no gain", "", bn_cosine);
  const auto traces = [](const Trace& t, const char* name) {
    return Chart{.title = name, .x_label = "step (lr 0.1, batch 64)", .y_label = "what enters the sigmoid", .series = {{"15 % of 500 images below", t.steps, t.low, 5}, {"median", t.steps, t.median, 0}, {"85 % below", t.steps, t.high, 5}}};
  };
  lab.figure({traces(plain, "Without normalisation"), traces(bn, "With batch normalisation")},
             "The first unit of the last hidden layer (3 x 100 sigmoid units, Fashion-MNIST): percentiles of what enters it over 500 fixed images (no units), against the training step. Predicted: without normalisation the "
             "spread grows many times over, with it hardly; yet its median keeps jittering.");
  lab.figure({{.title = "Shift of a gradient", .x_label = "step", .y_label = "cosine", .series = {{"measured, without", plain.cosine_steps, plain.cosines, 1}, {"measured, with batch norm", bn.cosine_steps, bn.cosines, 2}}}},
             "The other definition: the angle between the last hidden layer's gradient before and after the layers below it took their step on the same batch (cosine, 1 is no shift). No band was predicted; neither network is clearly nearer to 1 throughout.");
}

}  // namespace

extern const Experiment drift{
    "drift", "Internal covariate shift", "Do activations drift less with batch normalisation?",
    "Their spread does: it grows tens of times without, at most a few times with. Their median moves no less, if every jitter counts; and by the gradient's definition there is little between them: the name explains less than it seems to.",
    run, "Follow another unit: change units[0]. Are all medians as restless?"};

}  // namespace evenkeel::lab
