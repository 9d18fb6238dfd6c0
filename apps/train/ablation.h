// Variants of a training run beside each other: a file of variants, the log of finished runs, paired differences.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace evenkeel {

// Options of evenkeel train as JSON, like those of a recipe. The order of the names does not matter.
using TrainWords = nlohmann::json;

struct Variant {
  std::string name;
  TrainWords options;
};

// The variants of {"options": {of all variants}, "variants": {"name": {its own options}, ...}}, in the file's order,
// each with all its options. The first is the one that the others are compared with. `set` replaces options of all.
// Error(Fault::bad_file) with the file's name.
std::vector<Variant> read_variants(const std::string& path, const TrainWords& set = TrainWords::object());

struct FinishedRun {
  std::string variant;
  uint64_t seed = 1;
  TrainWords options;
  std::vector<double> accuracy = {};  // on the test images after each epoch; empty if the run failed
  std::vector<double> seconds = {};   // of each epoch with its test
  std::optional<double> views = {};   // accuracy at the end on several views of each test image
};

// A log has a line of JSON for each run. Error(Fault::bad_file) with file and line.
std::vector<FinishedRun> read_ablation_log(const std::string& path);
std::string log_line(const FinishedRun& run);

// The run with the options and the seed, or null.
const FinishedRun* find_run(const std::vector<FinishedRun>& runs, const Variant& variant, uint64_t seed);

struct Difference {
  int64_t pairs = 0;
  double mean = 0;
  double error = 0;    // the standard error, s / sqrt(pairs), s^2 with 1 / (pairs - 1); NaN for fewer than two pairs
  bool clear() const;  // |mean| > 2 error
};
// Of after - before, pair by pair.
Difference paired_difference(const std::vector<double>& before, const std::vector<double>& after);

// A table in Markdown: of each variant the mean accuracy over the seeds 1 to `seeds` that are finished, and the
// difference from the first variant over those that both have, in per cent; bold if it is clear.
std::string ablation_table(const std::vector<Variant>& variants, const std::vector<FinishedRun>& runs, uint64_t seeds);

}  // namespace evenkeel
