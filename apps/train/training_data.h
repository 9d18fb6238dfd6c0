// The images of a training run.
#pragma once
#include "apps/train/options.h"

namespace evenkeel {

struct TrainingData {
  Dataset train, validation, test;  // validation may be empty
  std::string folder;
  std::vector<std::string> inputs;
  double held_out = 0;
};

TrainingData load_training_data(const TrainOptions& options, const DataSets& own);

}  // namespace evenkeel
