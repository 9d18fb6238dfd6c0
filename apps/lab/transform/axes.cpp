// Which values share a mean and a variance: batch, layer, group and instance norm as one standardisation over four
// index sets: claims A1.7 to A1.9.
#include "apps/lab/lab.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t images = 4;
  static void each(auto& o, auto&& option) { option("images", o.images, Range{1, 64}, "images in the batch"); }
};

// (x - mean) / sqrt(variance + eps), each over all values whose key is the same: the one definition all four are.
template <class Key>
Tensor over(const Tensor& x, Key key, double eps) {
  const int64_t channels = x.channels(), positions = x.rows() / x.dim(0);
  std::vector<std::vector<int64_t>> sets(static_cast<size_t>(x.size()));
  for (int64_t i = 0; i < x.size(); ++i)
    sets[static_cast<size_t>(key(i / channels / positions, i % channels))].push_back(i);
  Tensor y = Tensor::empty(x.shape());
  for (const std::vector<int64_t>& set : sets) {
    const double m = static_cast<double>(set.size());
    double mean = 0, var = 0;
    for (int64_t i : set) mean += x.data()[i] / m;
    for (int64_t i : set) var += (x.data()[i] - mean) * (x.data()[i] - mean) / m;
    for (int64_t i : set) y.mutable_data()[i] = (x.data()[i] - mean) / std::sqrt(var + eps);
  }
  return y;
}

double changed(const Tensor& a, const Tensor& b) { return mean(abs(a - b)).item(); }

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t n = p.images, c = 6;
  const double eps = 1e-5;
  const Tensor x = Tensor::normal({n, 5, 5, c}, random, 1, 2);
  const auto batch = [&](const Tensor& t) { return standardise(t, eps).y; };
  const auto group = [&](const Tensor& t, int64_t groups) { return group_norm(t, groups, ones(c), zeros(c), eps); };
  const auto layer = [&](const Tensor& t) { return layer_norm(t, ones(c), zeros(c), eps); };

  lab.same("A1.7", "on (N, H, W, C) it is the dense one on (N H W, C), to the bit", batch(reshape(x, {n * 25, c})),
           reshape(batch(x), {n * 25, c}), 0);
  double flips = 0;
  const Tensor y = batch(x);
  for (int64_t i = c; i < x.size(); ++i) flips += (x.data()[i] < x.data()[i - c]) != (y.data()[i] < y.data()[i - c]);
  lab.equal("A1.8", "neighbouring pixels whose order changes", 0, flips, 0);

  // One standardisation, seen four ways: only the set of indices over which moments are taken differs.
  lab.same("A1.9", "batch norm: the set is a channel",
           over(
               x, [](int64_t, int64_t k) { return k; }, eps),
           batch(x), 1e-12);
  lab.same("A1.9", "layer norm: the set is an example",
           over(
               x, [](int64_t i, int64_t) { return i; }, eps),
           layer(x), 1e-12);
  lab.same("A1.9", "instance norm: a channel of an example",
           over(
               x, [=](int64_t i, int64_t k) { return i * c + k; }, eps),
           group(x, c), 1e-12);
  lab.same("A1.9", "group norm: a group of channels of an example",
           over(
               x, [](int64_t i, int64_t k) { return i * 2 + k / 3; }, eps),
           group(x, 2), 1e-12);
  lab.same("A1.9", "group norm with one group is layer norm, to the bit", layer(x), group(x, 1), 0);
  const Tensor single = Tensor::normal({1, 5, 5, c}, random);
  lab.same("A1.9", "batch norm of one image is instance norm", group(single, c), batch(single), 1e-12);
  BatchNorm ghost(c, {.ghost = 1});
  lab.same("A1.9", "and so are ghost batches of one image", group(x, c), ghost.forward(x, Mode::train).detach(), 1e-12);

  // The maps under which each norm is invariant.
  const Tensor a = exp(Tensor::normal({c}, random)), r = exp(Tensor::normal({n * 25}, random));
  Tensor example = Tensor::empty({n * 25});
  for (int64_t i = 0; i < n * 25; ++i) example.mutable_data()[i] = r.data()[i / 25];  // one factor an example
  const Tensor factor = spread_channels(reshape(example, {n, 5, 5}), x.shape());
  const Tensor by_channel = add_per_channel(scale_per_channel(x, a), a), by_example = x * factor + factor;
  const auto exact_batch = [&](const Tensor& t) { return standardise(t, 0).y; };
  const auto exact_layer = [&](const Tensor& t) { return layer_norm(t, ones(c), zeros(c), 0); };
  lab.same("A1.9", "batch norm forgets an affine map of each channel (eps = 0)", exact_batch(x),
           exact_batch(by_channel));
  lab.same("A1.9", "layer norm forgets an affine map of each example", exact_layer(x), exact_layer(by_example));
  lab.between("A1.9", "batch norm does not forget the example's: mean change", 0.05, INFINITY,
              {changed(exact_batch(x), exact_batch(by_example))});
  lab.between("A1.9", "layer norm does not forget the channel's: mean change", 0.05, INFINITY,
              {changed(exact_layer(x), exact_layer(by_channel))});

  // The picture: example k is scaled; how far the norms' outputs move.
  const std::vector<double> factors = grid(0.1, 4, 40);
  const auto moved = [&](auto norm) {
    return [&, norm](double f) {
      Tensor scaled = x.clone();
      for (int64_t i = 0; i < 25 * c; ++i) scaled.mutable_data()[i] *= f;
      return changed(norm(x), norm(scaled));
    };
  };
  lab.figure({{.title = fmt::format("One example of {} is scaled", n),
               .x_label = "factor on all values of one example",
               .y_label = "mean change of the output",
               .series = {curve(
                              "predicted, layer norm: none", factors, [](double) { return 0.0; }, 0, true),
                          curve("measured, layer norm", factors, moved(exact_layer), 1),
                          curve("measured, batch norm", factors, moved(exact_batch), 2)}}},
             {.shows = fmt::format("All values of one image in a batch of {} are multiplied by the factor on the "
                                   "horizontal axis. Vertically: the mean absolute change of the normalised batch (in "
                                   "standard deviations).",
                                   n),
              .predicted = "Layer norm takes its moments within the example, so nothing changes. Batch norm takes them "
                           "over the whole batch.",
              .seen = fmt::format("With the factor 4, layer norm's output changes by {:.2g}, batch norm's by {:.2f}.",
                                  moved(exact_layer)(4), moved(exact_batch)(4))});
}

}  // namespace

extern const Experiment axes{
    "axes",
    "The transform",
    "Which values are normalised together?",
    "Batch norm shares moments across the batch, layer norm within an example: only the set of values differs, and "
    "each norm removes exactly the mean and scale of its own set.",
    "One standardisation over a set of indices gives all four norms: the set is a channel (batch), an example (layer), "
    "a group of its channels (group), or one of them (instance). Each is invariant under an affine map of its set, and "
    "under no other.",
    run,
    {"Take a batch of one image: does scaling the image still change batch norm's output?", "images=1",
     "batch norm does not forget", 0, 1e-9,
     "No. With one image, batch norm is instance norm: the factor is an affine map of every channel, which it removes. "
     "So that statement of the table does not hold here; with --set it is not judged."}};

}  // namespace evenkeel::lab
