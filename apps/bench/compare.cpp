#include "apps/bench/compare.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "apps/cli/console.h"
#include "core/base/check.h"
#include "core/base/parallel.h"
#include "core/base/processor.h"
#include "core/io/process.h"
#include "layers/model/spec.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;

const std::string self = "/proc/self/exe";

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

// A file without a name that holds torch_bench.py, as a path that a child process can open.
std::string torch_script() {
#ifdef __linux__
  static const int file = ::memfd_create("torch_bench.py", MFD_CLOEXEC);
  const std::string text = torch_bench;
  check(file >= 0 && ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
        "bench: the script that times PyTorch cannot be put into memory: {}", std::strerror(errno));
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file);
#else
  fail(Fault::missing, "bench: --compare needs Linux");
#endif
}

// "" if this Python has PyTorch, else the reason.
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

}  // namespace

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

void compare_with(const Arguments& ours, const Arguments& theirs, int64_t rounds) {
  say("{:>5}  {:>12}  {:>12}  {:>8}\n", "round", "evenkeel ms", "other ms", "ratio");
  const Comparison all = compare(ours, theirs, rounds, [](const Comparison& c, const Json&) {
    say("{:>5}  {:>12.4f}  {:>12.4f}  {:>8.2f}\n", c.ratios.size(), c.ours.back(), c.theirs.back(), c.ratios.back());
    std::fflush(stdout);
  });
  say("median {:>11.4f}  {:>12.4f}  {:>8.2f}  (from {:.2f} to {:.2f})\n", median(all.ours), median(all.theirs),
      median(all.ratios), all.low(), all.high());
}

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

void compare_ops_with_torch(const std::string& python, int64_t examples, int64_t steps, int64_t rounds) {
  const std::string missing = missing_torch(python);
  const Arguments options{
      "--ops",   "--batch-size",       std::to_string(examples), "--threads", std::to_string(threads()),
      "--steps", std::to_string(steps)};
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
      processor_name(), instruction_level(), threads(), examples, rounds);
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

}  // namespace evenkeel
