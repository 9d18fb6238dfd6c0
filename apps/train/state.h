// Where a training run stands. With the weights, buffers and the optimiser's state it is all that the rest of the run
// depends on.
#pragma once
#include <string>

#include "core/engine/parameter.h"
#include "layers/model/safetensors.h"

namespace evenkeel {

struct TrainState {
  int64_t epoch = 1;              // the one being trained, from 1
  int64_t batch = 0;              // batches of it done
  double loss_sum = 0;            // over the images of this epoch seen so far,
  int64_t correct = 0, seen = 0;  // their number, and how many of them were classified right

  int64_t test_correct = 0;       // after the last finished epoch
  int64_t best_epoch = 0;         // 0: none is finished
  int64_t best_correct = -1;      // at it, on the images that choose
  int64_t best_test_correct = 0;  // at it, on the test images
};

// Of the bits that a training run ends in. A change after which a run of before could not go on to the same bits raises
// it; 1 is evenkeel 0.1.0's, 2 has other random streams. It stands in the file beside the state of the training; 1 is
// not written there.
inline constexpr int training_generation = 2;

// Refuses a file without a training state, and one of another generation. `path` is for messages, here and below.
void check_generation(const SafeTensors& file, const std::string& path);

// Into and out of the file that holds the network; `kept` is the state of the optimiser and of what else has one.
void pack_training(const TrainState& state, const std::vector<Parameter>& kept, SafeTensors& file);
// Fills the tensors of `kept`.
TrainState unpack_training(const SafeTensors& file, const std::vector<Parameter>& kept, const std::string& path);

}  // namespace evenkeel
