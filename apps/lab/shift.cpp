// Test images that differ from the training ones, and statistics re-estimated on them: claims A7.1 to A7.3.
#include "apps/lab/train.h"
#include "core/matmul.h"
#include "core/normalize.h"
#include "layers/recalibrate.h"

namespace evenkeel::lab {
namespace {

struct Change {
  const char* name;
  double contrast, brightness;  // pixel in [0, 1] -> contrast pixel + brightness
  bool within;                  // contrast > 0: an affine map that statistics can undo
};
constexpr Change changes[] = {{"clean", 1, 0, true}, {"contrast x 0.4", .4, 0, true}, {"brightness + 0.3", 1, .3, true}, {"contrast x 0.2 + 0.4", .2, .4, true}, {"inverted", -1, 1, false}};

// The change in the loader's units, (pixel - mean) / deviation.
Tensor changed(const Tensor& x, const Change& c, const Normalization& n) {
  const double mean = n.mean[0] / 255, deviation = n.deviation[0] / 255;
  return x * c.contrast + ((c.contrast - 1) * mean + c.brightness) / deviation;
}

// Accuracy with the training set's statistics, and with those of the changed images themselves.
struct Score {
  double source, own;
};
Score score(Sequential& net, const Batch& test, const Change& c, const Normalization& n) {
  const Batch batch{changed(test.x, c, n), test.labels};
  Score s{accuracy(net, batch), 0};
  std::vector<std::pair<Tensor, Tensor>> kept;
  const auto norms = running_norms(net);
  for (const auto& [name, norm] : norms) kept.emplace_back(norm->statistics().mean.clone(), norm->statistics().var - norm->epsilon());
  recalibrate(net, [&](const std::function<void(const Tensor&)>& see) { see(batch.x); });
  s.own = accuracy(net, batch);
  for (size_t i = 0; i < norms.size(); ++i) norms[i].second->set_statistics(kept[i].first, kept[i].second, 1e15);
  return s;
}

void run(Lab& lab) {
  Random random(1);
  // The shift's formula, and a linear layer's.
  const Tensor one = Tensor::full({1}, 1);
  Sample out;
  const Tensor draws = batch_norm_inference(Tensor::normal({lab.quick_or_full(200'000, 2'000'000), 1}, random, 1.5, .8), one * .2, one * .64, one * 1.3, one * .5);
  for (double v : draws.values()) out.add(v);
  lab.equal("A7.1", "the shift gamma (m_test - mu) / sqrt(sigma^2 + eps): from .2 to 1.5, sigma .8, gamma 1.3", 2.11248, 1.3 * 1.3 / std::sqrt(.64 + 1e-5), 1e-5);
  lab.expected("A7.1", "measured: mean of y (beta = 0.5)", .5 + 1.3 * 1.3 / std::sqrt(.64 + 1e-5), out);
  const Tensor x = Tensor::normal({16, 5}, random), delta = Tensor::normal({1, 5}, random), w = Tensor::normal({4, 5}, random), gamma = Tensor::normal({4}, random), zero = Tensor::zeros({4}), var = Tensor::full({4}, 2);
  Tensor moved = x.clone();
  for (int64_t i = 0; i < x.size(); ++i) moved.data()[i] += delta.data()[i % 5];
  const auto inference = [&](const Tensor& t) { return batch_norm_inference(matmul(t, w, false, true), zero, var, gamma, zero); };
  const auto training = [&](const Tensor& t) { return batch_norm(matmul(t, w, false, true), gamma, zero).y; };
  const Tensor shift = reshape(matmul(delta, w, false, true), {4}) * gamma * (1 / std::sqrt(2 + 1e-5));
  lab.same("A7.3", "linear layer, x + delta: inference moves by gamma W delta / sqrt(sigma^2 + eps)", add_per_channel(inference(x), shift), inference(moved), 1e-13);
  lab.same("A7.3", "training does not move", training(x), training(moved), 1e-12);

  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const int64_t steps = lab.quick_or_full(250, 1500), tested = lab.quick_or_full(500, 4000);
  const Batch test = first(data.test, pixels, tested);
  const char* models[] = {"conv:8:3 norm act maxpool conv:16:3 norm act maxpool flatten dense:classes", "conv:8:3:pad=0 norm act maxpool conv:16:3:pad=0 norm act maxpool flatten dense:classes"};
  Chart chart{.title = "Accuracy on changed images", .x_label = "brightness added (pixels are 0 to 1)", .y_label = "test accuracy", .series = {}};
  std::vector<std::vector<double>> source(std::size(changes)), own(std::size(changes)), valid_loss(1);
  double apart = 0;
  for (uint64_t seed : lab.seeds()) {
    for (int valid = 0; valid < 2; ++valid) {
      const auto net = network(models[valid], "batch:eps=1e-16", "relu", seed);  // so small that contrast x 0.2 does not feel it
      Batches batches(data.train, pixels, 64, seed);
      train(*net, batches, {.lr = .1}, steps);
      for (size_t i = 0; i < std::size(changes) && !valid; ++i) {
        const Score s = score(*net, test, changes[i], pixels);
        source[i].push_back(100 * s.source);
        own[i].push_back(100 * s.own);
      }
      if (valid) {  // no zeros at the border: the first convolution turns the change into an affine map of each channel
        const Recording off(false);
        const Tensor clean = net->forward(test.x, Mode::probe);
        for (const Change& c : changes) {
          if (!c.within) continue;
          const Tensor logits = net->forward(changed(test.x, c, pixels), Mode::probe);
          for (int64_t i = 0; i < clean.size(); ++i) apart = std::max(apart, std::abs(clean.data()[i] - logits.data()[i]));
        }
      }
      if (seed != 1) continue;
      const char* kind = valid ? "no padding" : "zero padding";
      Series with_source{fmt::format("{}, training statistics", kind), {}, {}, 2 * valid}, with_own{fmt::format("{}, statistics of the images", kind), {}, {}, 2 * valid + 1};
      for (double b : {-.2, 0., .1, .2, .3, .4}) {
        const Score s = score(*net, test, {"", 1, b, true}, pixels);
        for (Series* series : {&with_source, &with_own}) series->x.push_back(b);
        with_source.y.push_back(s.source);
        with_own.y.push_back(s.own);
      }
      chart.series.push_back(with_source);
      chart.series.push_back(with_own);
    }
  }
  lab.between("A7.2", "clean images: accuracy, % (elsewhere 86.5)", lab.quick_or_full(72., 78.), 93, source[0], true);
  for (size_t i = 1; i < std::size(changes); ++i) {
    std::vector<double> lost, kept;
    for (size_t s = 0; s < source[i].size(); ++s) lost.push_back(own[0][s] - source[i][s]), kept.push_back(own[0][s] - own[i][s]);
    if (i == 3) lab.between("A7.2", fmt::format("{}: points lost with the training statistics", changes[i].name), 15, 90, lost, true);
    if (i == 1 || i == 2) lab.observed("A7.2", fmt::format("{}: points lost with the training statistics", changes[i].name), i == 1 ? "elsewhere 9" : "elsewhere 71", lost);
    if (changes[i].within && i != 3) lab.between("A7.2", fmt::format("{}: points still lost with the images' own", changes[i].name), -3, 8, kept, true);
    if (!changes[i].within) lab.between("A7.2", fmt::format("{}: points still lost with their own: no affine map with a > 0", changes[i].name), 30, 90, kept, true);
    if (i == 3) lab.observed("A7.2", fmt::format("{}: points still lost with their own (zero padding)", changes[i].name), "elsewhere 62", kept);
  }
  lab.equal("A7.2b", "no padding, no bias: largest change of a logit under contrast and brightness, own statistics", 0, apart);
  lab.figure({chart}, "A small network's accuracy on test images of Fashion-MNIST made brighter (horizontal axis; 1 is from black to white). With the training set's statistics it falls, with those of the changed images themselves it stays; exactly, predicted A7.2b, "
                      "where convolutions have no padding: zeros at the border are not made brighter, and are all that differs.");
}

}  // namespace

extern const Experiment shift{
    "shift", "Inference", "What if the test images are not like the training images?",
    "Inference is off by gamma (m_test - mu) / sqrt(sigma^2 + eps). Statistics taken from the new images undo brightness and contrast; exactly so in a network without zero padding. They cannot undo an inversion.",
    run, "Try noise instead of brightness: re-estimation helps in part. Which part?"};

}  // namespace evenkeel::lab
