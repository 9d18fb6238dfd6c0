#include "apps/lab/training.h"

#include "apps/trainer/trainer.h"

namespace evenkeel::lab {

std::unique_ptr<Sequential> network(const std::string& model, const std::string& norm, const std::string& activation,
                                    uint64_t seed, const std::string& init) {
  return make_model({.model = model,
                     .norm = norm,
                     .activation = activation,
                     .init = init,
                     .input = {28, 28, 1},
                     .classes = 10,
                     .seed = seed});
}

std::unique_ptr<Sequential> small_network(const std::string& model, const std::string& norm,
                                          const std::string& activation, uint64_t seed) {
  auto made = network(model, norm, activation, seed);
  for (Parameter& p : parameters(*made))
    if (p.decay) p.value.copy_from(p.value.detach() * (1 / std::sqrt(6.0)));
  return made;
}

Batch first(const Dataset& data, const Normalization& normalization, int64_t count) {
  Loader loader(data, normalization,
                {.batch_size = std::min(count, data.size()), .shuffle = false, .background = false});
  loader.begin_epoch(0);
  Batch batch;
  loader.next(batch);
  return batch;
}

Batch Batches::next() {
  Batch batch;
  while (epoch_ < 0 || !loader_.next(batch)) loader_.begin_epoch(++epoch_);
  return batch;
}

Batch Points::draw(int64_t count) {
  const int64_t dimensions = centres_.dim(1);
  Batch batch{Tensor::normal({count, dimensions}, random_, 0, spread_), {}};
  double* x = batch.x.mutable_data();
  for (int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<int32_t>(random_.below(static_cast<uint64_t>(centres_.dim(0))));
    for (int64_t k = 0; k < dimensions; ++k) x[i * dimensions + k] += centres_.data()[label * dimensions + k];
    batch.labels.push_back(label);
  }
  return batch;
}

bool train(Sequential& net, Batches& batches, const SgdOptions& options, int64_t steps,
           const std::function<void(const Step&)>& before) {
  return train(
      net, [&] { return batches.next(); }, options, steps, before);
}

bool train(Sequential& net, const std::function<Batch()>& next, const SgdOptions& options, int64_t steps,
           const std::function<void(const Step&)>& before) {
  Sgd sgd(parameters(net), options);
  Trainer trainer(net, sgd, {.lr = options.lr});
  Batch batch;
  trainer.before_update = [&](const StepResult& result, Grads& gradients) {
    before({trainer.steps, result.loss, batch, gradients});
  };
  try {
    while (trainer.steps < steps) {
      batch = next();
      trainer.step(batch);
    }
  } catch (const Error& error) {
    if (error.fault != Fault::failed) throw;
    return false;
  }
  return true;
}

double accuracy(Layer& net, const Batch& batch, Mode mode) {
  const Recording off(false);
  return static_cast<double>(count_correct(net.forward(batch.x, mode), batch.labels)) /
         static_cast<double>(batch.labels.size());
}

}  // namespace evenkeel::lab
