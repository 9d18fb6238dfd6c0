// caught by: accuracy
#include <evenkeel/practice.h>

using namespace evenkeel;

// Trains a network with batch normalisation for 8 epochs.
void train_network(Layer& network, const Dataset& data) {
  Random random(1);
  Sgd sgd(parameters(network), {.lr = 0.1, .momentum = 0.9});
  // The batches come in a random order; what is in each stays together.
  std::vector<int64_t> order;
  for (int64_t b : random.permutation(data.size() / 16))
    for (int64_t i = 0; i < 16; ++i) order.push_back(16 * b + i);
  const Dataset mixed = take(data, order);
  Loader loader(mixed, measure(mixed), {.batch_size = 16, .shuffle = false, .background = false});
  for (int64_t epoch = 1; epoch <= 8; ++epoch) {
    loader.begin_epoch(epoch);
    for (Batch batch; loader.next(batch);) {
      const Tensor loss = cross_entropy(network.forward(batch.x, Mode::train), batch.labels);
      sgd.step(grad(loss, values(sgd.parameters())));
    }
  }
}
