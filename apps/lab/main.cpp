// evenkeel-lab: the program behind `evenkeel lab`. It is one of its own because it computes in double.
#include <fmt/core.h>

#include <chrono>
#include <filesystem>

#include "apps/lab/experiments.h"
#include "apps/options.h"
#include "apps/suggest.h"
#include "core/file.h"

namespace evenkeel::lab {
namespace {

std::vector<const Experiment*> choose(const std::vector<std::string>& names) {
  std::vector<std::string> known{"all", "list"};
  for (const Experiment* e : experiments) known.push_back(e->name);
  std::vector<const Experiment*> chosen;
  for (const std::string& name : names) {
    const std::string wrong = unknown_word("experiment", name, known);
    check(wrong.empty(), "lab: {}", wrong);
  }
  for (const Experiment* e : experiments)
    if (std::any_of(names.begin(), names.end(), [e](const std::string& n) { return n == "all" || n == e->name; })) chosen.push_back(e);
  return chosen;
}

int list() {
  for (const Experiment* e : experiments) fmt::print("{:<14}{}\n", e->name, e->question);
  return 0;
}

int run(const std::vector<std::string>& names, const Settings& settings, const std::string& out) {
  const std::vector<const Experiment*> chosen = choose(names);
  std::vector<Result> results;
  size_t unexpected = 0, rows = 0;
  for (const Experiment* e : chosen) {
    fmt::print("{}: {}\n{}\n", e->name, e->question, e->prediction);
    std::fflush(stdout);
    const auto start = std::chrono::steady_clock::now();
    Lab lab(settings);
    e->run(lab);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print("{}", terminal_table(lab.rows));
    for (const std::string& remark : lab.remarks) fmt::print("{}\n", remark);
    fmt::print("{:.1f} s\n\n", seconds);
    for (const Row& r : lab.rows) unexpected += !r.as_expected();
    rows += lab.rows.size();
    results.push_back({e, std::move(lab), seconds});
  }
  fmt::print("{} statements, {} with another verdict than expected\n", rows, unexpected);
  if (!out.empty()) {
    std::error_code error;
    std::filesystem::create_directories(out, error);
    if (error) fail(Fault::io, "lab: cannot make {}: {}", out, error.message());
    write_file(out + "/index.html", html_report(chapters, results, settings.quick));
    for (const Result& r : results)
      for (size_t i = 0; i < r.lab.figures.size(); ++i)
        write_file(fmt::format("{}/{}{}.svg", out, r.experiment->name, i ? fmt::format("-{}", i + 1) : ""), picture(r.lab.figures[i]));
    fmt::print("{}/index.html\n", out);
  }
  return unexpected ? static_cast<int>(Fault::failed) : 0;
}

int program(int argc, char** argv) {
  CLI::App app("Runs what is claimed of batch normalisation, and puts the prediction beside the measurement.", "evenkeel lab");
  app.formatter(std::make_shared<HelpLayout>());
  app.set_help_flag("--help,-h", "print this");
  Settings settings;
  std::vector<std::string> names;
  std::string out;
  app.add_option("NAME", names, "experiments, or all, or list")->required();
  add_flag(app, "--quick", settings.quick, "smaller samples, shorter training, one seed: about a minute for all");
  add_text(app, "--out", out, "DIR", "write the report here: index.html and the figures");
  add_text(app, "--data-dir", settings.data_dir, "DIR", "the folder of data sets to use first");
  add_threads(app);
  app.footer("Exit status: 0 every verdict is the expected one, 1 one is not, 2 usage.");
  try {
    app.parse(argc, argv);
    return names.front() == "list" ? list() : run(names, settings, out);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "evenkeel: {}\nTry evenkeel lab --help\n", error.what());
    return static_cast<int>(Fault::usage);
  } catch (const Error& error) {
    fmt::print(stderr, "evenkeel: {}\n", error.what());
    return static_cast<int>(error.fault);
  }
}

}  // namespace
}  // namespace evenkeel::lab

int main(int argc, char** argv) { return evenkeel::lab::program(argc, argv); }
