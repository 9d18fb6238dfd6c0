// caught by: returned
#include <evenkeel/practice.h>

using namespace evenkeel;

// Trains for one epoch, in batches of 8. Returns how many examples were used.
int64_t train_epoch(Layer& network, Sgd& sgd, const Dataset& data, int64_t epoch) {
  Loader loader(data, measure(data), {.batch_size = 8, .shuffle = false, .background = false});
  int64_t used = 0;
  loader.begin_epoch(epoch);
  for (Batch batch; loader.next(batch);) {
    used += batch.x.dim(0);
    if (batch.x.dim(0) < 2) continue;
    const Tensor loss = cross_entropy(network.forward(batch.x, Mode::train), batch.labels);
    sgd.step(grad(loss, values(sgd.parameters())));
  }
  return used;
}
