// evenkeel runs: the runs of a folder in a table.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/cli/run_file.h"
#include "apps/report/run_record.h"
#include "core/base/check.h"
#include "core/io/file.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders(const std::string& path) try {
  check_link(path);
  if (!fs::exists(path))
    fail(Fault::missing, "there is no folder {}; name the folder that holds the runs: evenkeel runs DIR", path);
  if (!fs::is_directory(path))
    fail(Fault::bad_file, "{} is no folder; name the folder that holds the runs: evenkeel runs DIR", path);
  if (fs::exists(run_file(fs::path(path) / "config.json"))) return {path};  // a run's own folder
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(path)) {
    if ((entry.is_directory() || !entry.exists()) && !entry.path().filename().string().starts_with('.'))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
} catch (const fs::filesystem_error& error) {
  fail_io(error);
}

}  // namespace

Action runs_command(CLI::App& app, const Registry&) {
  struct Options {
    std::string folder = "runs", sort = "best";
  };
  const auto o = std::make_shared<Options>();
  app.add_option("DIR", o->folder, "a folder of runs, or of one run, as evenkeel train writes it")
      ->capture_default_str();
  add_choice(app, "--sort", o->sort, {"best", "newest"}, "which is first");
  app.footer(
      "The best epoch of a run has the best accuracy on its validation images, or without any on the test images. "
      "Options in which the runs differ have a column, except --threads, --data-dir and --checkpoint-every, which "
      "change no result. A damaged run is named on standard error and left out, and the exit status is 4.");
  return [o] {
    std::vector<RunRecord> runs;
    int status = 0;
    for (const std::string& folder : folders(o->folder)) {
      try {
        runs.push_back(read_run(folder));
      } catch (const Error& error) {
        if (error.fault == Fault::missing) {
          const std::string broken = broken_link(folder);
          note(fmt::format("{}, skipped", broken.empty() ? folder + " is no run" : broken));
          continue;
        }
        note(fmt::format("evenkeel: skipped, because it is damaged: {}", error.what()));
        status = static_cast<int>(error.fault);
      }
    }
    check(!runs.empty() || status != 0, "runs: there is no run in {}; evenkeel train writes one", o->folder);
    if (!runs.empty()) put(runs_table(std::move(runs), o->sort == "best" ? RunOrder::best : RunOrder::newest));
    return status;
  };
}

}  // namespace evenkeel
