// config.json and recipes: the options of a run in a file.
#pragma once
#include "apps/train/options.h"

namespace evenkeel {

// The options in `json`, the contents of config.json or of a recipe, replaced by the arguments `given` on the command
// line. Error(Fault::bad_file), with `name`, if they are invalid.
std::unique_ptr<RunOptions> read_config(const std::string& name, const std::string& json,
                                        const std::vector<std::string>& given = {});

// The facts in config.json on images and network that must still hold: all except those that the options `given` on the
// command line change.
nlohmann::ordered_json known_facts(const nlohmann::json& config, const nlohmann::ordered_json& given);

// Calls f(). If all options come from `file`, a usage error becomes Error(Fault::bad_file) with the file's name.
template <class F>
auto blaming(const std::string& file, F f) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.fault != Fault::usage || file.empty()) throw;
    fail(Fault::bad_file, "{}: {}", file, error.what());
  }
}

}  // namespace evenkeel
