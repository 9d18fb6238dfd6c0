// Whether evenkeel train can begin a run, found out without training.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/train/training_data.h"

namespace evenkeel {

class Trial {
 public:
  explicit Trial(const Registry& registry) : registry_(registry) {}

  // Error(Fault::usage) if evenkeel train has no option of one of the names, or if a value is none of the option's.
  void check_words(const nlohmann::json& options) const;
  // Error, as of evenkeel train, if the run that the options describe cannot begin: an option that it does not know,
  // options that do not go together, a missing data set, a network that does not fit the images.
  void operator()(const nlohmann::json& options);

 private:
  const Registry& registry_;
  nlohmann::json images_;  // the options of the images in data_
  TrainingData data_;
};

}  // namespace evenkeel
