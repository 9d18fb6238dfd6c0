// A run's identity: a run can be resumed only with the same network, images and options.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/formats/network_file.h"
#include "apps/train/training_data.h"

namespace evenkeel {

// Facts on the network and the images, as in config.json: "network", "images", "normalization".
nlohmann::ordered_json run_facts(const TrainOptions& options, Sequential& network, const NetworkInfo& info,
                                 const TrainingData& data);
// These facts and the options that determine a run's result, as in last.safetensors.
nlohmann::ordered_json run_identity(nlohmann::ordered_json facts, nlohmann::ordered_json options);

// Error if images, network or options differ from the earlier run's; lists all differences with both values.
void check_same(const std::string& file, const nlohmann::json& before, const nlohmann::json& now);

}  // namespace evenkeel
