// A run's folder: the options of the run, and the results of every epoch.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "apps/report/run_log.h"

namespace evenkeel {

struct RunRecord {
  std::string name;                            // its folder's
  std::map<std::string, std::string> options;  // from config.json
  int64_t epochs = 0;                          // planned
  std::vector<EpochRow> rows;                  // one for each finished epoch
  int64_t changed = 0;                         // time of the last write to its log, in ns
  int64_t patience = 0;                        // ends after this many epochs without improvement; 0: never
  bool finished() const;                       // has all its epochs, or ran out of patience
  // The epoch of best.safetensors: the first with the best accuracy on the validation images, or without any on the
  // test images. Null if no epoch is finished.
  const EpochRow* best() const;
};

// The options in the folder's config.json, by name.
std::map<std::string, std::string> run_options(const std::string& folder);

// Error if the folder has no config.json, or has invalid files.
RunRecord read_run(const std::string& folder);

// The files that evenkeel train writes, in the order of replacement: the one that --resume reads comes last.
inline constexpr const char* run_files[] = {"log.csv",          "curves.svg",  "average.safetensors",
                                            "best.safetensors", "config.json", "last.safetensors"};
// check_output() for a command's result; also Error(Fault::usage) if it would replace one of a run's files.
void check_result(const std::string& path, const std::vector<std::string>& inputs);

enum class RunOrder { best, newest };
// A table with one line per run, and the options in which they differ, except those that change no result. The best run
// has the highest test accuracy at its best epoch.
std::string runs_table(std::vector<RunRecord> runs, RunOrder order);

}  // namespace evenkeel
