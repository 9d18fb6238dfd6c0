// evenkeel ablate: trains variants of a run with the same seeds, and prints what each one changes.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <regex>
#include <set>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/report/run_log.h"
#include "apps/train/ablation.h"
#include "apps/train/options.h"
#include "core/base/number.h"
#include "core/base/parallel.h"
#include "core/io/file.h"
#include "core/io/process.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

TrainWords words_of(const std::vector<std::string>& set) {
  TrainWords words = TrainWords::object();
  for (const std::string& text : set) {
    const size_t equals = text.find('=');
    check(equals != std::string::npos && equals > 0 && equals + 1 < text.size(), "--set needs NAME=VALUE, got '{}'",
          text);
    const std::string value = text.substr(equals + 1);
    const TrainWords json = TrainWords::parse(value, nullptr, false);
    const bool as_typed = (json.is_number() || json.is_boolean()) && json.dump() == value;
    words[text.substr(0, equals)] = as_typed ? json : TrainWords(value);
  }
  return words;
}

std::vector<std::string> train_command_of(const TrainWords& options, uint64_t seed, const std::string& folder) {
  std::vector<std::string> command{"/proc/self/exe", "train"};
  for (const std::string& argument : as_arguments(options)) command.push_back(argument);
  for (const std::string& argument : {"--seed=" + std::to_string(seed), "--threads=" + std::to_string(threads()),
                                      "--out=" + folder, std::string("--overwrite")})
    command.push_back(argument);
  return command;
}

// What evenkeel train --check finds: its exit status, and its message.
ProcessResult check_variant(const Variant& variant, const std::string& folder) {
  std::vector<std::string> command = train_command_of(variant.options, 1, folder);
  command.push_back("--check");
  ProcessResult result = run_process(command, {.captured = STDERR_FILENO});
  const std::string mark = "evenkeel: ";
  if (const size_t at = result.text.rfind(mark); at != std::string::npos) result.text.erase(0, at + mark.size());
  result.text.erase(std::min(result.text.size(), result.text.find("\n  Try ")));
  return result;
}

// Starts evenkeel train for one run, and removes the run's folder afterwards. Returns the exit status.
int train_variant(FinishedRun& run, const std::string& folder) {
  const ProcessResult result = run_process(train_command_of(run.options, run.seed, folder));
  if (result.status == 0) {
    for (const EpochRow& row : read_log_csv(folder + "/log.csv")) {
      run.accuracy.push_back(row.test_accuracy);
      run.seconds.push_back(row.seconds);
    }
    const std::regex of_views("views of each test image: test accuracy ([0-9.]+)");
    double views = 0;
    if (std::smatch found; std::regex_search(result.text, found, of_views) && parse_number(found.str(1), views))
      run.views = views;
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return result.status;
}

}  // namespace

Action ablate_command(CLI::App& app, const Registry&) {
  struct Options {
    std::string file, log;
    std::vector<std::string> set;
    int64_t seeds = 5;
    bool table = false;
  };
  const auto o = std::make_shared<Options>();
  app.add_option("VARIANTS", o->file,
                 "a JSON file of variants: {\"options\": options of evenkeel train for all of them, \"variants\": "
                 "{\"NAME\": its own options, ...}}; the others are compared with the first")
      ->required();
  add_integer(app, "--seeds", o->seeds, 1, 1000, "train every variant with the seeds 1 to N");
  app.add_option("--set", o->set, "an option of evenkeel train for all variants, as in epochs=2")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  add_text(app, "--log", o->log, "FILE", "the finished runs, a line each; its runs are not trained again")
      ->default_str("VARIANTS with the ending .log");
  add_flag(app, "--table", o->table, "print the table of the finished runs, and train none");
  add_threads(app);
  app.footer(
      "All variants train with seed 1, then all with seed 2 ... Stopped at any time, the same command continues "
      "after the last finished run. A variant's run that ends with status 1, as one that diverges, counts as "
      "failed.\n"
      "The table in Markdown: mean accuracies in per cent, and paired differences from the first variant with "
      "their standard errors; bold: more than two standard errors.");
  return [o] {
    const TrainWords set = words_of(o->set);
    const std::vector<Variant> variants = read_variants(o->file, set);
    const std::string log = o->log.empty() ? fs::path(o->file).replace_extension(".log").string() : o->log;
    if (!o->table) check_output(log, {o->file});
    std::error_code ignored;
    std::string lines = fs::exists(log, ignored) ? read_file(log) : "";
    std::vector<FinishedRun> runs = lines.empty() ? std::vector<FinishedRun>() : read_ablation_log(log);
    const auto seeds = static_cast<uint64_t>(o->seeds);
    std::vector<std::pair<const Variant*, uint64_t>> missing;
    for (uint64_t seed = 1; seed <= seeds && !o->table; ++seed)
      for (const Variant& v : variants)
        if (!find_run(runs, v, seed)) missing.push_back({&v, seed});
    std::set<const Variant*> open;
    for (const auto& [variant, seed] : missing) open.insert(variant);
    const std::string folder = log + ".run";
    for (const Variant* v : open) {  // now, and not hours later when it is its turn
      const ProcessResult found = check_variant(*v, folder);
      if (found.status == 0) continue;
      if (found.status >= 128) return found.status;
      const auto fault = static_cast<Fault>(found.status);
      if (!set.empty() &&
          check_variant(read_variants(o->file, TrainWords::object())[v - variants.data()], folder).status == 0)
        fail(fault, "--set: {}", found.text);
      fail(fault == Fault::usage ? Fault::bad_file : fault, "{}: the variant \"{}\": {}", o->file, v->name, found.text);
    }
    const size_t all = variants.size() * seeds, before = all - missing.size();
    const auto begin = std::chrono::steady_clock::now();
    for (size_t i = 0; i < missing.size(); ++i) {
      const auto [variant, seed] = missing[i];
      const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      say("run {} of {}: {}, seed {}{}\n", before + i + 1, all, variant->name, seed,
          i == 0 ? ""
                 : fmt::format("; about {} left",
                               duration(passed / static_cast<double>(i) * static_cast<double>(missing.size() - i))));
      std::fflush(stdout);
      FinishedRun run{variant->name, seed, variant->options};
      const int status = train_variant(run, folder);
      const bool failed = status == static_cast<int>(Fault::failed) && variant != variants.data();
      if (status != 0 && !failed) return status;
      if (!lines.empty() && lines.back() != '\n') lines += '\n';  // as an editor may leave it
      lines += log_line(run);
      write_file(log, lines);
      say("  {}\n", failed ? "failed"
                    : run.views
                        ? fmt::format("test accuracy {:.4f}, on several views {:.4f}", run.accuracy.back(), *run.views)
                        : fmt::format("test accuracy {:.4f}", run.accuracy.back()));
      std::fflush(stdout);
      runs.push_back(std::move(run));
    }
    say("{}{}", missing.empty() ? "" : "\n", ablation_table(variants, runs, seeds));
    return 0;
  };
}

}  // namespace evenkeel
