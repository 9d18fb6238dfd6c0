// The options that say which images: --data, --data-dir.
#pragma once
#include "apps/cli/options.h"
#include "data/catalogue/load.h"

namespace evenkeel {

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir);
// Both; returns --data.
CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir);

// load_dataset, with the nearest name where it is mistyped; says on stderr from which folder it is read.
DataSplit load_named_dataset(const std::string& name, const std::string& data_dir);
// `samples` images of all classes in proportion, drawn by the seed, as --samples asks; 0: all.
Dataset draw_samples(const Dataset& data, int64_t samples, uint64_t seed);
void check_dataset_name(const std::string& name);

}  // namespace evenkeel
