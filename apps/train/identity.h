// What a run is, so that another process goes on with it only where it is the same.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/formats/network_file.h"
#include "apps/train/training_data.h"

namespace evenkeel {

// Of the network and the images, as config.json keeps them: "network", "images", "normalization".
nlohmann::ordered_json run_facts(const TrainOptions& options, Sequential& network, const NetworkInfo& info,
                                 const TrainingData& data);
// The facts with the options that a run's outcome depends on, as last.safetensors keeps them.
nlohmann::ordered_json run_identity(nlohmann::ordered_json facts, nlohmann::ordered_json options);

// Refuses to go on with other images, another network or other options than the run before: all differences, both
// values.
void check_same(const std::string& file, const nlohmann::json& before, const nlohmann::json& now);

}  // namespace evenkeel
