// A training step: what happens to a network between a batch and the updated weights. It opens no file and prints
// nothing.
#pragma once
#include <functional>
#include <vector>

#include "../../data/loader.h"
#include "../../layers/sequential.h"
#include "../../optim/optimizer.h"
#include "../../optim/schedule.h"

namespace evenkeel {

struct StepResult {
  double loss = 0;                 // of the batch, before the update
  int64_t correct = 0, count = 0;  // images of the batch that were classified right, and all
};

// Trains `network`, whose parameters the optimiser was made with. Both must outlive it. One thread at a time may use
// it.
class Trainer {
 public:
  Trainer(Sequential& network, Optimizer& optimizer, Schedule schedule, real label_smoothing = 0);

  // Forward, cross-entropy, backward, and an update with the schedule's learning rate of step `steps`, which then grows
  // by one. Error(Fault::failed) where the loss or a norm's statistics are not finite: the message names the layer, and
  // nothing was updated. The first step also refuses a network whose visit() forgets a parameter or names two alike.
  StepResult step(const Batch& batch);

  // Called between backward and update: clipping, or a look at the gradients.
  std::function<void(const StepResult&, Grads&)> before_update = [](const StepResult&, Grads&) {};
  int64_t steps = 0;

 private:
  Sequential& network_;
  Optimizer& optimizer_;
  Schedule schedule_;
  real label_smoothing_;
  std::vector<Tensor> trained_;
  bool checked_ = false;
};

}  // namespace evenkeel
