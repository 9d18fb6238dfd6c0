// caught by: accuracy
#include <evenkeel/practice.h>

using namespace evenkeel;

// Trains a network with batch normalisation for 8 epochs.
void train_network(Layer& network, const Dataset& data) {
  Sgd sgd(parameters(network), {.lr = 0.01, .momentum = 0.9});
  Loader loader(data, measure(data), {.batch_size = 16, .shuffle = false, .background = false});
  for (int64_t epoch = 1; epoch <= 8; ++epoch) {
    loader.begin_epoch(epoch);
    for (Batch batch; loader.next(batch);) {
      const Tensor loss = cross_entropy(network.forward(batch.x, Mode::train), batch.labels);
      sgd.step(grad(loss, values(sgd.parameters())));
    }
  }
}
