// The program's own measurements, as text or as JSON.
#pragma once
#include "apps/bench/compare.h"

namespace evenkeel {

void report_workload(const Workload& workload, const Setting& setting, bool json);
void report_ops(int64_t examples, int64_t steps, bool json);
// The machine's ceilings, all workloads (each in a separate process) and single layers.
void report_all(const Setting& setting, bool json);

}  // namespace evenkeel
