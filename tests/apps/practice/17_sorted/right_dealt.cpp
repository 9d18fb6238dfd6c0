// The examples are dealt like cards: no chance in it.
#include <evenkeel/practice.h>

using namespace evenkeel;

// Trains a network with batch normalisation for 8 epochs.
void train_network(Layer& network, const Dataset& data) {
  Sgd sgd(parameters(network), {.lr = 0.1, .momentum = 0.9});
  std::vector<int64_t> order;
  for (int64_t first = 0; first < 16; ++first)
    for (int64_t i = first; i < data.size(); i += 16) order.push_back(i);
  std::vector<int64_t> dealt;
  const int64_t part = data.size() / 16;
  for (int64_t i = 0; i < part; ++i)
    for (int64_t k = 0; k < 16; ++k) dealt.push_back(k * part + i);
  const Dataset mixed = take(data, dealt);
  Loader loader(mixed, measure(mixed), {.batch_size = 16, .shuffle = false, .background = false});
  for (int64_t epoch = 1; epoch <= 8; ++epoch) {
    loader.begin_epoch(epoch);
    for (Batch batch; loader.next(batch);) {
      const Tensor loss = cross_entropy(network.forward(batch.x, Mode::train), batch.labels);
      sgd.step(grad(loss, values(sgd.parameters())));
    }
  }
}
