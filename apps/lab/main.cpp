// evenkeel-lab: the program behind `evenkeel lab`. It is one of its own because it computes in double.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>

#include "apps/cli/options.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "apps/lab/experiments.h"
#include "core/base/file.h"
#include "core/base/parallel.h"

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
    if (std::any_of(names.begin(), names.end(), [e](const std::string& n) { return n == "all" || n == e->name; }))
      chosen.push_back(e);
  return chosen;
}

int list() {
  for (const Experiment* e : experiments) fmt::print("{:<16}{}\n", e->name, e->question);
  return 0;
}

void print(const Result& r) {
  fmt::print("{}: {}\n{}\n{}", r.experiment->name, r.experiment->question, r.experiment->prediction,
             terminal_table(r.lab.rows));
  for (const std::string& remark : r.lab.remarks) fmt::print("{}\n", remark);
  fmt::print("{:.1f} s\n\n", r.seconds);
  std::fflush(stdout);
}

// As many experiments at a time as there are threads, each on one of them; what they compute is the same to the bit,
// and so is the order of what is printed.
std::vector<Result> run_all(const std::vector<const Experiment*>& chosen, const Settings& settings) {
  std::vector<std::optional<Result>> found(chosen.size());
  std::mutex printing;
  size_t printed = 0;
  parallel_for(static_cast<int64_t>(chosen.size()), [&](int64_t i) {
    const size_t k = static_cast<size_t>(i);
    const auto start = std::chrono::steady_clock::now();
    Lab lab(settings);
    chosen[k]->run(lab);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::lock_guard lock(printing);
    found[k] = Result{chosen[k], std::move(lab), seconds};
    for (; printed < found.size() && found[printed]; ++printed) print(*found[printed]);
  });
  std::vector<Result> results;
  for (auto& r : found) results.push_back(std::move(*r));
  return results;
}

int run(const std::vector<std::string>& names, const Settings& settings, const std::string& out) {
  const std::vector<Result> results = run_all(choose(names), settings);
  size_t unexpected = 0, rows = 0;
  for (const Result& r : results) {
    for (const Row& row : r.lab.rows) unexpected += !row.as_expected();
    rows += r.lab.rows.size();
  }
  fmt::print("{} statements, {} with another verdict than expected\n", rows, unexpected);
  if (!out.empty()) {
    std::error_code error;
    std::filesystem::create_directories(out, error);
    if (error) fail(Fault::io, "lab: cannot make {}: {}", out, error.message());
    write_file(out + "/index.html", html_report(chapters, results, settings.quick));
    for (const Result& r : results)
      for (size_t i = 0; i < r.lab.figures.size(); ++i)
        write_file(fmt::format("{}/{}{}.svg", out, r.experiment->name, i ? fmt::format("-{}", i + 1) : ""),
                   picture(r.lab.figures[i]));
    fmt::print("{}/index.html\n", printable(out));
  }
  return unexpected ? static_cast<int>(Fault::failed) : 0;
}

int program(int argc, char** argv) {
  CLI::App app("Runs what is claimed of batch normalisation, and puts the prediction beside the measurement.",
               "evenkeel lab");
  app.formatter(std::make_shared<HelpLayout>());
  app.set_help_flag("--help,-h", "print this");
  Settings settings;
  std::vector<std::string> names;
  std::string out;
  app.add_option("NAME", names, "experiments, or all, or list")->required();
  add_flag(app, "--quick", settings.quick, "smaller samples, shorter training, one seed: half a minute for all");
  add_text(app, "--out", out, "DIR", "write the report here: index.html and the figures");
  add_text(app, "--data-dir", settings.data_dir, "DIR", "the folder of data sets, the only one looked in");
  add_threads(app);
  app.footer("Exit status: 0 every verdict is the expected one, 1 one is not, 2 usage.");
  try {
    app.parse(argc, argv);
    return names.front() == "list" ? list() : run(names, settings, out);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "evenkeel: {}\nTry evenkeel lab --help\n", printable(error.what()));
    return static_cast<int>(Fault::usage);
  } catch (const Error& error) {
    fmt::print(stderr, "evenkeel: {}\n", printable(error.what()));
    return static_cast<int>(error.fault);
  } catch (const std::system_error&) {  // of fmt::print
    return static_cast<int>(Fault::io);
  }
}

}  // namespace
}  // namespace evenkeel::lab

int main(int argc, char** argv) {
  const int status = evenkeel::lab::program(argc, argv);
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
  std::fputs("evenkeel: standard output cannot be written\n", stderr);
  return static_cast<int>(evenkeel::Fault::io);
}
