// Measurements of speed: the standard workloads, single layers, single ops, and the machine's limits.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/shape.h"

namespace evenkeel {

// A training step is forward, cross-entropy, backward and SGD with momentum and decay on a batch in memory; inference
// is forward alone.
struct Workload {
  std::string name, what, model, activation;
  Shape input;
  int64_t batch;
  bool training;
};
const std::vector<Workload>& workloads();

extern const char* const torch_bench;  // the text of torch_bench.py; written by CMake

struct Timing {
  double ms = 0, ms_min = 0, ms_p90 = 0;  // median, minimum and 90th percentile of the counted calls
};
// Calls f `warmup` times, then measures `steps` calls.
Timing time_calls(const std::function<void()>& f, int64_t steps, int64_t warmup = 3);
double median(std::vector<double> values);      // of at least one
Timing summarise(std::vector<double> seconds);  // of at least one call

struct WorkloadResult {
  Timing timing;
  int64_t batch = 0, parameters = 0;
  double gflop = 0;         // of direct convolutions and products, backward counted as twice forward
  double first_step_s = 0;  // from the start of the process to the end of the first step
  double tensor_mib = 0;    // peak memory of tensors
  double rss_mib = 0;       // peak memory of the process
};
// batch 0: the workload's.
WorkloadResult run_workload(const Workload& workload, const std::string& norm, int64_t batch, int64_t steps);

struct Ceilings {
  double sgemm_gflops = 0;  // products of 1024 x 1024 matrices, one per thread
  double copy_gbs = 0;      // a copy far larger than the caches, bytes read and bytes written both counted
};
Ceilings measure_ceilings();

struct LayerTiming {
  std::string name;
  Timing forward, backward;
  double gflop = 0;                              // of the forward pass; backward does twice as much
  double forward_bytes = 0, backward_bytes = 0;  // lower bounds: each tensor read or written once
};
std::vector<LayerTiming> time_layers(int64_t steps);

struct OpTiming {
  std::string name;
  Timing forward, backward;                      // backward: the vjp alone; 0 of an optimiser's update
  double forward_bytes = 0, backward_bytes = 0;  // each tensor that the op must read or write, once
};
// All ops of core/ops but products and convolutions, and the updates of two optimisers; images are examples x 32 x 32 x
// 64. After each op see() is called with its timing.
void time_ops(int64_t examples, int64_t steps, const std::function<void(const OpTiming&)>& see);

}  // namespace evenkeel
