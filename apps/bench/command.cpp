// evenkeel bench: the speed on this machine, compared with the machine's limits and with other programs.
#include "apps/cli/command.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "apps/bench/bench.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "core/base/check.h"
#include "core/base/parallel.h"
#include "core/base/processor.h"
#include "core/io/process.h"
#include "core/kernels/gemm.h"
#include "layers/model/spec.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;

const Workload& workload_named(const std::string& name) {
  std::string known;
  for (const Workload& w : workloads()) {
    if (name == w.name) return w;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", w.name);
  }
  fail(Fault::usage, "bench: there is no workload {}; there are {}", name, known);
}

Json rounded(double value, int digits = 4) { return Json::parse(fmt::format("{:.{}g}", value, digits + 2)); }

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

using Arguments = std::vector<std::string>;
const std::string self = "/proc/self/exe";

// Runs one workload in a separate process, so that peak memory and first step are its own.
Arguments command_of(const Workload& w, const Setting& s) {
  return {self,           "bench",
          "--workload",   w.name,
          "--model",      w.model,
          "--norm",       s.norm,
          "--precision",  s.precision,
          "--batch-size", std::to_string(s.batch),
          "--threads",    std::to_string(threads()),
          "--steps",      std::to_string(s.steps),
          "--json"};
}

// Runs a program, and returns the last line of its output, which must be JSON with "ms".
Json json_of(const Arguments& command) {
  const ProcessResult r = run_process(command);
  const std::string last = r.text.substr(r.text.rfind('\n') + 1);
  const Json json = Json::parse(last, nullptr, false);
  const bool own_usage = command[0] == self && r.status == static_cast<int>(Fault::usage);
  if (r.status != 0 || !json.is_object() || !json.contains("ms") || !json["ms"].is_number())
    fail(own_usage ? Fault::usage : Fault::failed,
         "bench: {} must print a line of JSON with \"ms\" and exit with 0; it exited with {} and printed '{}'",
         shell_text(command), r.status, last);
  return json;
}

struct Comparison {
  std::vector<double> ours, theirs, ratios;  // of each round
  double low() const { return *std::min_element(ratios.begin(), ratios.end()); }
  double high() const { return *std::max_element(ratios.begin(), ratios.end()); }
};

// Runs the two programs in turn, so that both see the same machine load. `see` gets the other program's JSON.
template <class See>
Comparison compare(const Arguments& ours, const Arguments& theirs, int64_t rounds, const See& see) {
  Comparison all;
  for (int64_t i = 0; i < rounds; ++i) {
    all.ours.push_back(json_of(ours)["ms"]);
    const Json other = json_of(theirs);
    all.theirs.push_back(other["ms"]);
    all.ratios.push_back(all.theirs.back() / all.ours.back());
    see(all, other);
  }
  return all;
}

void compare_with(const Arguments& ours, const Arguments& theirs, int64_t rounds) {
  say("{:>5}  {:>12}  {:>12}  {:>8}\n", "round", "evenkeel ms", "other ms", "ratio");
  const Comparison all = compare(ours, theirs, rounds, [](const Comparison& c, const Json&) {
    say("{:>5}  {:>12.4f}  {:>12.4f}  {:>8.2f}\n", c.ratios.size(), c.ours.back(), c.theirs.back(), c.ratios.back());
    std::fflush(stdout);
  });
  say("median {:>11.4f}  {:>12.4f}  {:>8.2f}  (from {:.2f} to {:.2f})\n", median(all.ours), median(all.theirs),
      median(all.ratios), all.low(), all.high());
}

// A file without a name that holds torch_bench.py, as a path that a child process can open.
std::string torch_script() {
#ifdef __linux__
  static const int file = ::memfd_create("torch_bench.py", MFD_CLOEXEC);
  const std::string text = torch_bench;
  check(file >= 0 && ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
        "bench: no memory for the script that times PyTorch");
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file);
#else
  fail(Fault::missing, "bench: --compare needs Linux");
#endif
}

// "" if this Python has PyTorch, else why not.
std::string missing_torch(const std::string& python) {
  try {
    const char* test = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
    if (run_process({python, "-c", test}).status == 0) return "";
    return python + " has no module torch";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

// The workloads in turn with PyTorch, as a table in Markdown.
void compare_with_torch(const std::vector<Workload>& chosen, const std::string& python, const Setting& s,
                        int64_t rounds) {
  const std::string& norm = s.norm;
  check(norm == "none" || norm == "batch", "bench: --compare knows the norms none and batch, got {}", norm);
  const std::string missing = missing_torch(python), script = torch_script();
  say("{}, {} instructions, {} threads, {} norm, {}: medians of {} rounds in ms, the ratio as the median of the "
      "rounds' ratios\n",
      processor_name(), instruction_level(), threads(), norm, s.precision, rounds);
  if (!missing.empty()) say("PyTorch is left out: {}\n", missing);
  say("\n| | workload | batch | evenkeel | PyTorch | ratio (from, to) | its fastest variant "
      "|\n|---|---|---|---|---|---|---|\n");
  for (const Workload& w : chosen) {
    std::vector<int64_t> batches{s.batch ? s.batch : w.batch};
    if (!s.batch && !w.training) batches.push_back(1);
    for (const int64_t batch : batches) {
      const Arguments ours = command_of(w, s.with_batch(batch));
      Arguments theirs{python,         script,
                       "--workload",   w.name,
                       "--model",      model_spec(w.model),
                       "--norm",       norm,
                       "--batch-size", std::to_string(batch),
                       "--threads",    std::to_string(threads()),
                       "--steps",      std::to_string(s.steps)};
      if (s.precision == "bf16") theirs.push_back("--bf16");
      say("| {} | {} | {} ", w.name, w.what, batch);
      std::string variant;
      if (missing.empty()) {
        const Comparison all = compare(ours, theirs, rounds, [&](const Comparison&, const Json& other) {
          variant = other.value("program", "") + ", " + other.value("variant", "");
        });
        say("| {:.3g} | {:.3g} | {:.2f} ({:.2f}, {:.2f}) | {} |\n", median(all.ours), median(all.theirs),
            median(all.ratios), all.low(), all.high(), variant);
      } else {
        std::vector<double> alone;
        for (int64_t i = 0; i < rounds; ++i) alone.push_back(json_of(ours)["ms"]);
        say("| {:.3g} | - | - | - |\n", median(alone));
      }
      std::fflush(stdout);
    }
  }
}

using Passes = std::array<double, 2>;  // ms forward and backward; 0: none

// Runs a program that prints a line of JSON for each op.
std::vector<std::pair<std::string, Passes>> ops_of(const Arguments& command) {
  const ProcessResult r = run_process(command);
  std::vector<std::pair<std::string, Passes>> all;
  std::istringstream lines(r.text);
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("op"))
      all.push_back({json["op"], {json.value("forward_ms", 0.0), json.value("backward_ms", 0.0)}});
  }
  if (r.status != 0 || all.empty())
    fail(Fault::failed,
         "bench: {} must print a line of JSON with \"op\" and \"forward_ms\" for each op and exit with 0; it exited "
         "with {} and printed '{}'",
         shell_text(command), r.status, r.text.substr(r.text.rfind('\n') + 1));
  return all;
}

int64_t examples_of_ops(int64_t batch_size) { return batch_size ? batch_size : 128; }

// The ops in turn with PyTorch's, as a table in Markdown.
void compare_ops_with_torch(const std::string& python, int64_t batch_size, int64_t steps, int64_t rounds) {
  const std::string missing = missing_torch(python);
  const Arguments options{"--ops",
                          "--batch-size",
                          std::to_string(examples_of_ops(batch_size)),
                          "--threads",
                          std::to_string(threads()),
                          "--steps",
                          std::to_string(steps)};
  Arguments ours{self, "bench", "--json"}, theirs{python, torch_script()};
  for (Arguments* command : {&ours, &theirs}) command->insert(command->end(), options.begin(), options.end());
  std::vector<std::string> names;
  std::map<std::string, std::array<Comparison, 2>> all;
  for (int64_t round = 0; round < rounds; ++round) {
    names.clear();
    for (const auto& [name, ms] : ops_of(ours)) {
      names.push_back(name);
      for (size_t pass = 0; pass < 2; ++pass) all[name][pass].ours.push_back(ms[pass]);
    }
    if (!missing.empty()) continue;
    for (const auto& [name, ms] : ops_of(theirs))
      for (size_t pass = 0; pass < 2; ++pass) {
        Comparison& c = all[name][pass];
        if (ms[pass] == 0 || c.ours.empty()) continue;
        c.theirs.push_back(ms[pass]);
        c.ratios.push_back(ms[pass] / c.ours.back());
      }
  }
  say("{}, {} instructions, {} threads, {} examples: medians of {} rounds in ms, the ratio as the median of the "
      "rounds' ratios\n",
      processor_name(), instruction_level(), threads(), examples_of_ops(batch_size), rounds);
  if (!missing.empty()) say("PyTorch is left out: {}\n", missing);
  say("\n| op | forward | PyTorch | ratio | backward | PyTorch | ratio |\n|---|---|---|---|---|---|---|\n");
  for (const std::string& name : names) {
    say("| {} |", name);
    for (const Comparison& c : all[name]) {
      const double ms = median(c.ours);
      say(" {} |", ms > 0 ? fmt::format("{:.3g}", ms) : "-");
      if (c.ratios.empty())
        say(" - | - |");
      else
        say(" {:.3g} | {:.2f} |", median(c.theirs), median(c.ratios));
    }
    say("\n");
  }
}

void report_ops(int64_t batch_size, int64_t steps, bool json) {
  if (!json)
    say("{} threads, {} instructions, {} examples; GB/s: of the least memory traffic\n\n{:<30} {:>11} {:>12} {:>8} "
        "{:>8}\n",
        threads(), instruction_level(), examples_of_ops(batch_size), "op", "forward ms", "backward ms", "GB/s", "GB/s");
  time_ops(examples_of_ops(batch_size), steps, [json](const OpTiming& op) {
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

}  // namespace

Action bench_command(CLI::App& app, const Registry&) {
  struct Options {
    std::string workload, model, python = "python3";
    Setting setting;
    std::vector<std::string> other;
    int64_t rounds = 5;
    bool json = false, against = false, compare = false, ops = false;
  };
  const auto o = std::make_shared<Options>();
  add_text(app, "--workload", o->workload, "NAME", "only this workload: W1 to W6")->group("What");
  add_flag(app, "--ops", o->ops, "every op, forward and backward, in place of the workloads")->group("What");
  add_text(app, "--model", o->model, "MODEL", "this network in place of the workload's, on the same images")
      ->group("What");
  add_text(app, "--norm", o->setting.norm, "NORM", "none, batch, layer, ...")->group("What");
  add_integer(app, "--batch-size", o->setting.batch, 0, 1 << 20, "images a step; 0: the workload's own, 128 with --ops")
      ->group("What");
  add_integer(app, "--steps", o->setting.steps, 1, 1'000'000, "measured steps, after three warm-up steps")
      ->group("What");
  add_flag(app, "--against", o->against,
           "run another program in turn: --against -- PROGRAM ARG...; it must print a line of JSON with \"ms\"")
      ->group("Comparison");
  app.add_option("PROGRAM", o->other, "the other program and its arguments, after -- ");
  add_flag(app, "--compare", o->compare, "run PyTorch in turn, and print a table in Markdown")->group("Comparison");
  add_text(app, "--python", o->python, "PROGRAM", "the Python that has PyTorch, for --compare")->group("Comparison");
  add_integer(app, "--rounds", o->rounds, 1, 1000, "turns of each")->group("Comparison");
  add_flag(app, "--json", o->json, "one line of JSON; with --ops one for each op")->group("Output");
  add_precision(app, o->setting.precision)->group("Running");
  add_threads(app)->group("Running");
  std::string footer = "Workloads:\n";
  for (const Workload& w : workloads()) footer += fmt::format("  {}  {}, batch {}\n", w.name, w.what, w.batch);
  app.footer(footer);
  return [o] {
    const UsePrecision precision(precision_of(o->setting.precision));
    check(o->against == !o->other.empty(), "bench: give the other program as --against -- PROGRAM ARG...");
    check((!o->against && o->model.empty()) || !o->workload.empty(), "bench: --against and --model need a --workload");
    check(!o->compare || (!o->against && !o->json), "bench: --compare takes neither --against nor --json");
    check(!o->against || !o->json, "bench: --against prints no JSON");
    if (o->ops) {
      const Setting& s = o->setting;
      check(o->workload.empty() && !o->against && s.norm == Setting().norm && s.precision == Setting().precision,
            "bench: --ops takes neither --workload, --against, --norm nor --precision");
      if (o->compare)
        compare_ops_with_torch(o->python, s.batch, s.steps, o->rounds);
      else
        report_ops(s.batch, s.steps, o->json);
      return 0;
    }
    if (o->workload.empty()) {
      if (o->compare)
        compare_with_torch(workloads(), o->python, o->setting, o->rounds);
      else
        report_all(o->setting, o->json);
      return 0;
    }
    Workload w = workload_named(o->workload);
    if (!o->model.empty()) w.model = w.what = o->model;
    if (o->compare) {
      compare_with_torch({w}, o->python, o->setting, o->rounds);
      return 0;
    }
    if (o->against) {
      compare_with(command_of(w, o->setting), o->other, o->rounds);
      return 0;
    }
    const WorkloadResult r = run_workload(w, o->setting.norm, o->setting.batch, o->setting.steps);
    if (o->json)
      say("{}\n", as_json(w, o->setting, r).dump());
    else
      say("{}: {}\n{} threads, batch {}, {} norm: median {:.3f} ms, minimum {:.3f} ms, {:.1f} GFLOP/s, {:.0f} "
          "images/s, first step after {:.2f} s, "
          "{:.0f} MiB\n",
          w.name, w.what, threads(), r.batch, o->setting.norm, r.timing.ms, r.timing.ms_min,
          r.gflop / r.timing.ms * 1e3, static_cast<double>(r.batch) / r.timing.ms * 1e3, r.first_step_s, r.rss_mib);
    return 0;
  };
}

}  // namespace evenkeel
