// caught by: once
#include <evenkeel/practice.h>

using namespace evenkeel;

// Trains for one epoch, in batches of 8. Returns how many examples were used.
int64_t train_epoch(Layer& network, Sgd& sgd, const Dataset& data, int64_t epoch) {
  Loader loader(data, measure(data), {.batch_size = 8, .shuffle = false, .background = false});
  int64_t used = 0;
  loader.begin_epoch(epoch);
  for (Batch batch; loader.next(batch);) {
    if (batch.x.dim(0) == 1) {  // the example has itself for company
      const Shape two{2, batch.x.dim(1), batch.x.dim(2), batch.x.dim(3)};
      Tensor twice = Tensor::empty(two);
      for (int64_t i = 0; i < twice.size(); ++i) twice.mutable_data()[i] = batch.x.data()[i % batch.x.size()];
      batch.x = twice;
      batch.labels.push_back(batch.labels[0]);
    }
    const Tensor loss = cross_entropy(network.forward(batch.x, Mode::train), batch.labels);
    sgd.step(grad(loss, values(sgd.parameters())));
    used += batch.x.dim(0);
  }
  return used;
}
