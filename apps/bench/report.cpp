#include "apps/bench/report.h"

#include <fmt/core.h>

#include <cstdio>

#include "apps/cli/console.h"
#include "core/base/parallel.h"
#include "core/base/processor.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;

Json rounded(double value, int digits = 4) { return Json::parse(fmt::format("{:.{}g}", value, digits + 2)); }

Json as_json(const Workload& w, const Setting& s, const WorkloadResult& r) {
  return {{"workload", w.name},
          {"model", w.model},
          {"norm", s.norm},
          {"precision", s.precision},
          {"batch", r.batch},
          {"threads", threads()},
          {"ms", rounded(r.timing.ms)},
          {"ms_min", rounded(r.timing.ms_min)},
          {"ms_p90", rounded(r.timing.ms_p90)},
          {"images_per_s", rounded(static_cast<double>(r.batch) / r.timing.ms * 1e3)},
          {"gflop_per_step", rounded(r.gflop)},
          {"gflops", rounded(r.gflop / r.timing.ms * 1e3)},
          {"parameters", r.parameters},
          {"tensor_mib", rounded(r.tensor_mib)},
          {"rss_mib", rounded(r.rss_mib)},
          {"first_step_s", rounded(r.first_step_s)}};
}

}  // namespace

void report_workload(const Workload& w, const Setting& s, bool json) {
  const WorkloadResult r = run_workload(w, s.norm, s.batch, s.steps);
  if (json)
    say("{}\n", as_json(w, s, r).dump());
  else
    say("{}: {}\n{} threads, batch {}, {} norm: median {:.3f} ms, minimum {:.3f} ms, {:.1f} GFLOP/s, {:.0f} "
        "images/s, first step after {:.2f} s, "
        "{:.0f} MiB\n",
        w.name, w.what, threads(), r.batch, s.norm, r.timing.ms, r.timing.ms_min, r.gflop / r.timing.ms * 1e3,
        static_cast<double>(r.batch) / r.timing.ms * 1e3, r.first_step_s, r.rss_mib);
}

void report_ops(int64_t examples, int64_t steps, bool json) {
  if (!json)
    say("{} threads, {} instructions, {} examples; GB/s: of the least memory traffic\n\n{:<30} {:>11} {:>12} {:>8} "
        "{:>8}\n",
        threads(), instruction_level(), examples, "op", "forward ms", "backward ms", "GB/s", "GB/s");
  time_ops(examples, steps, [json](const OpTiming& op) {
    const double forward = op.forward_bytes / op.forward.ms * 1e-6;
    const bool both = op.backward.ms > 0;
    const double backward = both ? op.backward_bytes / op.backward.ms * 1e-6 : 0;
    if (json) {
      Json j{{"op", op.name}, {"forward_ms", rounded(op.forward.ms)}, {"forward_gbs", rounded(forward)}};
      if (both) j["backward_ms"] = rounded(op.backward.ms), j["backward_gbs"] = rounded(backward);
      say("{}\n", j.dump());
    } else {
      say("{:<30} {:>11.4f} {:>12} {:>8.1f} {:>8}\n", op.name, op.forward.ms,
          both ? fmt::format("{:.4f}", op.backward.ms) : "", forward,
          backward > 0 ? fmt::format("{:.1f}", backward) : "");
    }
    std::fflush(stdout);
  });
}

void report_all(const Setting& s, bool json) {
  const Ceilings ceilings = measure_ceilings();
  Json all;
  all["threads"] = threads();
  all["level"] = instruction_level();
  all["ceilings"] = {{"sgemm_gflops", rounded(ceilings.sgemm_gflops)}, {"copy_gbs", rounded(ceilings.copy_gbs)}};
  if (!json) {
    say("{} threads, {} instructions\nsgemm 1024 {:.1f} GFLOP/s, copy {:.1f} GB/s (read + written)\n\n", threads(),
        instruction_level(), ceilings.sgemm_gflops, ceilings.copy_gbs);
    say("{:<4} {:<50} {:>5} {:>9} {:>9} {:>9} {:>8} {:>8} {:>6} {:>10}\n", "", "workload", "batch", "ms", "minimum",
        "images/s", "GFLOP/s", "of sgemm", "MiB", "first step");
  }
  for (const Workload& w : workloads())
    for (const int64_t batch : w.training ? std::vector<int64_t>{w.batch} : std::vector<int64_t>{w.batch, 1}) {
      const Json r = json_of(command_of(w, s.with_batch(batch)));
      all["workloads"].push_back(r);
      if (json) continue;
      const auto number = [&](const char* key) { return r[key].get<double>(); };
      say("{:<4} {:<50} {:>5} {:>9.3f} {:>9.3f} {:>9.0f} {:>8.1f} {:>8.2f} {:>6.0f} {:>8.2f} s\n", w.name, w.what,
          batch, number("ms"), number("ms_min"), number("images_per_s"), number("gflops"),
          number("gflops") / ceilings.sgemm_gflops, number("rss_mib"), number("first_step_s"));
      std::fflush(stdout);
    }
  if (!json)
    say("\n{:<32} {:>11} {:>12} {:>9} {:>9} {:>8} {:>8}\n", "layer", "forward ms", "backward ms", "GFLOP/s", "GFLOP/s",
        "GB/s", "GB/s");
  for (const LayerTiming& l : time_layers(s.steps)) {
    all["layers"].push_back({{"layer", l.name},
                             {"forward_ms", rounded(l.forward.ms)},
                             {"backward_ms", rounded(l.backward.ms)},
                             {"forward_gflops", rounded(l.gflop / l.forward.ms * 1e3)},
                             {"backward_gflops", rounded(2 * l.gflop / l.backward.ms * 1e3)},
                             {"forward_gbs", rounded(l.forward_bytes / l.forward.ms * 1e-6)},
                             {"backward_gbs", rounded(l.backward_bytes / l.backward.ms * 1e-6)}});
    if (json) continue;
    auto rate = [](double work, double ms) { return work > 0 ? fmt::format("{:.1f}", work / ms) : std::string(); };
    say("{:<32} {:>11.3f} {:>12.3f} {:>9} {:>9} {:>8} {:>8}\n", l.name, l.forward.ms, l.backward.ms,
        rate(l.gflop * 1e3, l.forward.ms), rate(2e3 * l.gflop, l.backward.ms),
        rate(l.forward_bytes * 1e-6, l.forward.ms), rate(l.backward_bytes * 1e-6, l.backward.ms));
  }
  if (json) say("{}\n", all.dump());
}

}  // namespace evenkeel
