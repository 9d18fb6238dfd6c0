#include "apps/trainer/evaluate.h"

namespace evenkeel {

Score evaluate(Layer& network, const Dataset& data, const Normalization& normalization, int64_t batch_size,
               const std::function<bool(double)>& keep_going,
               const std::function<void(const Tensor&, const Labels&)>& see) {
  check(data.size() > 0, "evaluate: {} holds no images", data.name);
  const Recording off(false);
  Loader loader(data, normalization, {.batch_size = batch_size, .shuffle = false});
  loader.begin_epoch(0);
  Score score;
  double sum = 0;
  for (Batch batch;
       keep_going(static_cast<double>(score.count) / static_cast<double>(data.size())) && loader.next(batch);) {
    const Tensor logits = network.forward(batch.x, Mode::eval);
    const int64_t n = static_cast<int64_t>(batch.labels.size());
    sum += cross_entropy(logits, batch.labels).item() * static_cast<double>(n);
    score.correct += count_correct(logits, batch.labels);
    score.count += n;
    see(logits, batch.labels);
  }
  score.loss = sum / static_cast<double>(std::max<int64_t>(score.count, 1));
  return score;
}

}  // namespace evenkeel
