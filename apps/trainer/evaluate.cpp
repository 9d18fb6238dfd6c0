#include "apps/trainer/evaluate.h"

#include <algorithm>
#include <utility>

namespace evenkeel {
namespace {

Tensor seen_as(const Tensor& x, const View& v) {
  if (!v.mirrored && v.down == 0 && v.right == 0) return x;
  const int64_t height = x.dim(1), width = x.dim(2), channels = x.dim(3);
  Tensor y = Tensor::empty(x.shape());
  real* out = y.mutable_data();
  for (int64_t row = 0; row < x.dim(0) * height; ++row) {
    const real* in = x.data() + (row / height * height + reflected(row % height + v.down, height)) * width * channels;
    for (int64_t i = 0; i < width; ++i, out += channels)
      std::copy_n(in + reflected((v.mirrored ? width - 1 - i : i) + v.right, width) * channels, channels, out);
  }
  return y;
}

}  // namespace

Views test_views(bool may_be_mirrored) {
  Views views;
  for (const bool mirrored : {false, true}) {
    if (mirrored && !may_be_mirrored) break;
    for (const auto& [move, weight] : {std::pair(0, 0.5), {-1, 0.25}, {1, 0.25}})
      views.push_back({mirrored, move, move, may_be_mirrored ? weight / 2 : weight});
  }
  return views;
}

Score evaluate(Layer& network, const Dataset& data, const Normalization& normalization, int64_t batch_size,
               const std::function<bool(double)>& keep_going,
               const std::function<void(const Tensor&, const Labels&)>& see, const Views& views, Shards* processes) {
  check(data.size() > 0, "evaluate: {} holds no images", data.name);
  const Recording off(false);
  Loader loader(data, normalization, {.batch_size = batch_size, .shuffle = false});
  loader.begin_epoch(0);
  Score score;
  std::vector<double> results(static_cast<size_t>(2 * loader.batches()));  // of each batch: loss, correct
  int64_t number = 0;
  for (Batch batch;
       keep_going(static_cast<double>(score.count) / static_cast<double>(data.size())) && loader.next(batch);
       ++number) {
    const int64_t n = static_cast<int64_t>(batch.labels.size());
    score.count += n;
    if (processes && number % processes->count() != processes->first()) continue;
    Tensor logits;
    for (const View& v : views) {
      const Tensor one = network.forward(seen_as(batch.x, v), Mode::eval);
      logits = views.size() == 1 ? one : logits.defined() ? logits + one * real(v.weight) : one * real(v.weight);
    }
    results[2 * number] = cross_entropy(logits, batch.labels).item() * static_cast<double>(n);
    results[2 * number + 1] = static_cast<double>(count_correct(logits, batch.labels));
    see(logits, batch.labels);
  }
  if (processes) processes->fold({results.data()}, results.size() * sizeof(double), sum_of<double>());
  double sum = 0, correct = 0;
  for (size_t i = 0; i < results.size(); i += 2) sum += results[i], correct += results[i + 1];
  score.correct = static_cast<int64_t>(correct);
  score.loss = sum / static_cast<double>(std::max<int64_t>(score.count, 1));
  return score;
}

}  // namespace evenkeel
