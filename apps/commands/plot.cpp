// evenkeel plot: the curves of several runs in one picture.
#include <fmt/core.h>

#include <filesystem>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/report/run_log.h"
#include "core/base/file.h"

namespace evenkeel {

Action plot_command(CLI::App& app, const Vocabulary&) {
  struct Options {
    std::vector<std::string> runs, labels;
    std::string out = "curves.svg", title = "Training with evenkeel";
  };
  const auto o = std::make_shared<Options>();
  app.add_option("RUN", o->runs, "folders that evenkeel train wrote, or their log.csv")->required();
  app.add_option("--label", o->labels, "what to call the runs, in their order; again for each [the folders' names]")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  add_text(app, "--title", o->title, "TEXT", "above the picture");
  add_text(app, "--out", o->out, "FILE", "the SVG file to write");
  return [o] {
    check(o->labels.empty() || o->labels.size() == o->runs.size(), "plot: {} runs need as many --label, got {}",
          o->runs.size(), o->labels.size());
    std::vector<NamedLog> logs;
    for (size_t i = 0; i < o->runs.size(); ++i) {
      const std::filesystem::path given(o->runs[i]);
      std::error_code ignored;  // opening the path reports the error
      const std::filesystem::path file = std::filesystem::is_directory(given, ignored) ? given / "log.csv" : given;
      const std::filesystem::path folder = std::filesystem::absolute(file).lexically_normal().parent_path();
      check_output(o->out, {file});
      logs.push_back({o->labels.empty() ? folder.filename().string() : o->labels[i], read_log_csv(file)});
    }
    write_file(o->out, draw_runs(o->title, logs));
    say("{}\n", o->out);
    return 0;
  };
}

}  // namespace evenkeel
