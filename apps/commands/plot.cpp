// evenkeel plot: the curves of several runs in one picture.
#include <fmt/core.h>

#include <filesystem>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/cli/run_file.h"
#include "apps/report/run_log.h"
#include "apps/report/run_record.h"
#include "core/io/file.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

// `given` if it is a folder, else the folder of that file.
fs::path folder_of(const fs::path& given) {
  std::error_code ignored;  // opening the path reports the error
  return fs::is_directory(given, ignored) ? given : given.parent_path();
}

// The log.csv of a run's folder, or beside a checkpoint.
fs::path log_of(const fs::path& given) {
  const fs::path folder = folder_of(given);
  return run_file(folder == given || given.extension() == ".safetensors" ? folder / "log.csv" : given);
}

// Why there is nothing to draw: no log, or a file of another name that does not start like one. "" for a run's log,
// also a damaged one.
std::string no_run(const std::string& given, const fs::path& log) {
  std::error_code ignored;
  if (!fs::exists(log, ignored)) {
    const std::string broken = broken_link(given);
    if (!broken.empty()) return broken;
    return given + (fs::exists(log.parent_path() / "config.json", ignored) ? " has no finished epoch" : " is no run");
  }
  if (log.filename() == "log.csv" || !fs::is_regular_file(log, ignored)) return "";
  const std::string_view beginning = "epoch,lr,";
  std::string found(beginning.size(), '\0');
  const bool whole = open_input(log).read(0, found.data(), found.size()) == found.size();
  return whole && found == beginning ? "" : given + " is no run";
}

}  // namespace

Action plot_command(CLI::App& app, const Registry&) {
  struct Options {
    std::vector<std::string> runs, labels;
    std::string out = "curves.svg", title = "Training with evenkeel";
    RunsPicture picture;
  };
  const auto o = std::make_shared<Options>();
  app.add_option("RUN", o->runs,
                 "folders that evenkeel train wrote, or their checkpoints or log.csv; others are skipped, a damaged "
                 "log.csv is an error")
      ->required();
  app.add_option("--label", o->labels, "the name of a run; once for each run, in order [the folders' names]")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  add_flag(app, "--test", o->picture.test, "draw the curves on the test images too");
  add_number(app, "--smooth", o->picture.smooth, {.low = 0, .high = 0.999},
             "decay of an exponential moving average over epochs; 0: as measured");
  add_text(app, "--title", o->title, "TEXT", "above the picture");
  add_text(app, "--out", o->out, "FILE", "the SVG file to write");
  return [o] {
    check(o->labels.empty() || o->labels.size() == o->runs.size(),
          "plot: give one --label for each of the {} runs, or none; got {}", o->runs.size(), o->labels.size());
    std::vector<NamedLog> logs;
    for (size_t i = 0; i < o->runs.size(); ++i) {
      const fs::path file = log_of(o->runs[i]);
      const std::string why = no_run(o->runs[i], file);
      if (!why.empty() && !(logs.empty() && i + 1 == o->runs.size())) {
        note(why + ", skipped");
        continue;
      }
      if (!why.empty()) check_link(o->runs[i]);
      const fs::path folder = fs::absolute(folder_of(o->runs[i]) / "log.csv").lexically_normal().parent_path();
      check_result(o->out, {file});
      logs.push_back({o->labels.empty() ? folder.filename().string() : o->labels[i], read_log_csv(file)});
    }
    write_file(o->out, draw_runs(o->title, logs, o->picture));
    say("{}\n", on_one_line(o->out));
    return 0;
  };
}

}  // namespace evenkeel
