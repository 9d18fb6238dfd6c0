// Workloads and ops in turn with other programs, so that both see the same load of the machine.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/bench/bench.h"

namespace evenkeel {

// How a workload is measured.
struct Setting {
  std::string norm = "batch", precision = "float32";
  int64_t batch = 0, steps = 10;  // batch 0: the workload's own
  Setting with_batch(int64_t n) const {
    Setting s = *this;
    s.batch = n;
    return s;
  }
};

using Arguments = std::vector<std::string>;

// The command that measures one workload in a separate process, so that no other one adds to its peak memory.
Arguments command_of(const Workload& workload, const Setting& setting);

// Runs a program, and returns the last line of its output, which must be JSON with "ms". Error(Fault::failed) if not.
nlohmann::ordered_json json_of(const Arguments& command);

// Prints the rounds of `ours` in turn with `theirs`, and the medians.
void compare_with(const Arguments& ours, const Arguments& theirs, int64_t rounds);

// Print a table in Markdown: the workloads, or the ops, in turn with PyTorch in `python`, if it has it.
void compare_with_torch(const std::vector<Workload>& chosen, const std::string& python, const Setting& setting,
                        int64_t rounds);
void compare_ops_with_torch(const std::string& python, int64_t examples, int64_t steps, int64_t rounds);

}  // namespace evenkeel
