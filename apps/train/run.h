// Training: from options to a folder of results.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/cli/program.h"
#include "apps/distributed/team.h"
#include "apps/train/options.h"
#include "apps/train/run_folder.h"

namespace evenkeel {

// Trains, and writes config.json, log.csv, curves.svg, last.safetensors, best.safetensors and, with an average,
// average.safetensors into the folder. `config`: the first part of config.json, with the run's "options". `known`: the
// images and the network in an earlier run's config.json; Error if they differ. Returns the exit status: 0, or 128 + n
// after signal n. Error(Fault::failed) if the loss is not finite. All processes of `team`, if there is one, call it.
int train(const TrainOptions& options, nlohmann::ordered_json config, const nlohmann::ordered_json& known,
          const Registry& registry, Team* team);
// Resumes the run in the folder. `longer`: for the number of epochs in the options, which may be larger than before.
int resume(const TrainOptions& options, nlohmann::ordered_json config, bool longer, RunFolder folder,
           const Registry& registry, Team* team);

}  // namespace evenkeel
