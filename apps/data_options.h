// The options that say which images: --data, --data-dir.
#pragma once
#include "apps/options.h"
#include "data/dataset.h"

namespace evenkeel {

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir);
// Both; returns --data.
CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir);

// load_dataset, with the nearest name where it is mistyped.
DataSplit load_named_dataset(const std::string& name, const std::string& data_dir);
// The first `samples` images, as --samples asks; 0: all.
Dataset take_first(const Dataset& data, int64_t samples);
void check_dataset_name(const std::string& name);

}  // namespace evenkeel
