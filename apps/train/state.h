// The state of a training run. Together with weights, buffers and the optimiser's state it determines the rest of the
// run.
#pragma once
#include <string>

#include "core/engine/parameter.h"
#include "layers/model/safetensors.h"

namespace evenkeel {

struct TrainState {
  int64_t epoch = 1;              // the current one, from 1
  int64_t batch = 0;              // finished batches of this epoch
  double loss_sum = 0;            // over the images of this epoch seen so far
  int64_t correct = 0, seen = 0;  // how many of them were classified right, and their number

  int64_t test_correct = 0;       // after the last finished epoch
  int64_t best_epoch = 0;         // 0: no epoch is finished
  int64_t best_correct = -1;      // of the best epoch, on the images that choose it
  int64_t best_test_correct = 0;  // of the best epoch, on the test images
};

// The generation of a run's bits. Increase it with a change after which an older run cannot be resumed to the same
// bits; 1: evenkeel 0.1.0, 2: new random streams. It is stored beside the training's state, except for 1.
inline constexpr int training_generation = 2;

// Error if the file has no training state, or one of another generation. `path` is for messages, here and below.
void check_generation(const SafeTensors& file, const std::string& path);

// Writes the training's state into the network's file; `kept`: the state of the optimiser and of the average.
void pack_training(const TrainState& state, const std::vector<Parameter>& kept, SafeTensors& file);
// Reads it, and sets the tensors of `kept`.
TrainState unpack_training(const SafeTensors& file, const std::vector<Parameter>& kept, const std::string& path);

}  // namespace evenkeel
