// What a run's folder says of it: the options it was begun with, and what came of every epoch.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "apps/report/run_log.h"

namespace evenkeel {

struct RunRecord {
  std::string name;                            // its folder's
  std::map<std::string, std::string> options;  // as config.json has them
  int64_t epochs = 0;                          // that it was begun for
  std::vector<EpochRow> rows;                  // one for each finished epoch
  int64_t changed = 0;                         // when its log was last written: nanoseconds of the file system's clock
  int64_t patience = 0;                        // epochs without a better one after which it ends; 0: it goes on
  bool finished() const;                       // has all its epochs, or ran out of patience
  // The epoch that best.safetensors is of: by the validation images where there are some, else by the test images; of
  // equal ones the first. Null where none is finished.
  const EpochRow* best() const;
};

// Error where the folder has no config.json or files that are not as a run's must be.
RunRecord read_run(const std::string& folder);

enum class RunOrder { best, newest };
// A table: a line a run, with the options in which they differ, but for those that change no result. The best is the
// one with the highest test accuracy at its best epoch.
std::string runs_table(std::vector<RunRecord> runs, RunOrder order);

}  // namespace evenkeel
