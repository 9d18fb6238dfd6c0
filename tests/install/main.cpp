// A convolutional network with batch normalisation learns ten kinds of drawn shapes.
#include <evenkeel/evenkeel.h>

using namespace evenkeel;

int main() {
  const DataSplit data = load_dataset("synthetic");  // or "mnist", "fashion-mnist", "cifar10" ...
  Loader train(data.train, measure(data.train), {.batch_size = 64}),
      test(data.test, measure(data.train), {.batch_size = 2000, .shuffle = false});
  Random random(1);
  Sequential network{Conv2d(1, 16, 3, {.stride = 2, .padding = 1}, random, false),
                     BatchNorm(16),
                     Relu(),
                     Conv2d(16, 32, 3, {.stride = 2, .padding = 1}, random, false),
                     BatchNorm(32),
                     Relu(),
                     Flatten(),
                     Dense(7 * 7 * 32, 10, random)};
  Sgd sgd(parameters(network), {.lr = real(0.05), .momentum = real(0.9), .weight_decay = real(5e-4)});
  Batch batch;
  for (int epoch = 1; epoch <= 3; ++epoch)
    for (train.begin_epoch(epoch); train.next(batch);)
      sgd.step(grad(cross_entropy(network.forward(batch.x, Mode::train), batch.labels), values(parameters(network))));
  for (test.begin_epoch(0); test.next(batch);)
    fmt::print("{} of 2000 right\n", count_correct(network.forward(batch.x, Mode::eval), batch.labels));
}
