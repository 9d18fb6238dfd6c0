// A training step, from a batch to the updated weights. It opens no files and prints nothing.
#pragma once
#include <functional>
#include <vector>

#include "../../core/base/shards.h"
#include "../../data/loader.h"
#include "../../layers/sequential.h"
#include "../../optim/optimizer.h"
#include "../../optim/schedule.h"

namespace evenkeel {

struct StepResult {
  double loss = 0;                 // of the batch, before the update
  int64_t correct = 0, count = 0;  // correctly classified images, and all images of the batch
};

// Trains `network` by `optimizer`, which must have its parameters. Both must outlive the Trainer. One thread at a time
// may use it.
class Trainer {
 public:
  Trainer(Sequential& network, Optimizer& optimizer, Schedule schedule, real label_smoothing = 0);

  // Cuts every batch into shards (core/base/shards.h): batches must have this process's shards, and the loss and the
  // gradients are those of the whole batch. `copy` makes a network like `network`, for each further shard here.
  void set_shards(Shards& shards, const std::function<std::unique_ptr<Sequential>()>& copy);
  // A gradient of at least this many numbers (1 MB of floats) is summed over the shards in place: copying it would take
  // longer than one more exchange. Smaller gradients are copied into one row, and exchanged together.
  static constexpr int64_t large = 1 << 18;

  // Forward, cross-entropy, backward, and an update with the schedule's learning rate of step `steps`; then increments
  // `steps`. Error(Fault::failed), with the layer, if the loss or a norm's statistics are not finite; then nothing is
  // updated. The first step also checks that visit() names every parameter, under different names.
  StepResult step(const Batch& batch);

  // Called between backward and update: clipping, or a look at the gradients.
  std::function<void(const StepResult&, Grads&)> before_update = [](const StepResult&, Grads&) {};
  int64_t steps = 0;

 private:
  Grads pass(Sequential& network, const Batch& part, StepResult& result);
  Grads pass_shards(const Batch& batch, StepResult& result);
  void sum_over_shards(std::vector<Grads>& each);  // into each[0]

  Sequential& network_;
  Shards* shards_ = nullptr;
  std::vector<std::unique_ptr<Sequential>> copies_;
  std::vector<std::vector<real>> rows_;  // the small gradients of each shard here
  Optimizer& optimizer_;
  Schedule schedule_;
  real label_smoothing_;
  std::vector<Tensor> trained_;
  bool checked_ = false;
};

}  // namespace evenkeel
