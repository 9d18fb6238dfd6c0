// evenkeel-lab: the program behind `evenkeel lab`. It is separate because it computes in double.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <optional>
#include <sstream>
#include <system_error>

#include "apps/cli/options.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "apps/cli/usage.h"
#include "apps/lab/experiments.h"
#include "apps/lab/symbols.h"
#include "core/base/parallel.h"
#include "core/io/file.h"

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
  for (const Experiment* e : experiments) fmt::print("{:<16}{} {}\n", e->name, e->question, e->parameters);
  return 0;
}

void print(const Result& r) {
  fmt::print("{}: {}\n{}\n", r.experiment->name, r.experiment->question, plain(r.experiment->prediction));
  if (!r.lab.standard())
    fmt::print("Not the standard parameters: {}. Bands were fixed for the standard ones; they judge nothing here.\n",
               r.lab.changed().substr(1));
  fmt::print("{}", terminal_table(r.lab.rows));
  for (const std::string& remark : r.lab.remarks) fmt::print("{}\n", plain(remark));
  fmt::print("{:.1f} s\n\n", r.seconds);
  std::fflush(stdout);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// ":eps=0.1:batch=16" of NAME=VALUE each.
std::string as_arguments(const std::vector<std::string>& set) {
  std::string all;
  for (const std::string& one : set) {
    const size_t equals = one.find('=');
    check(equals > 0 && equals < one.size() - 1 && one.find(':') == std::string::npos,
          "lab: --set needs NAME=VALUE, got '{}'", one);
    all += ":" + one;
  }
  return all;
}

// Runs one experiment per thread. Results and the order of the output do not depend on the number of threads.
std::vector<Result> run_all(const std::vector<const Experiment*>& chosen, const Settings& settings, bool next) {
  std::vector<std::optional<Result>> found(chosen.size());
  std::mutex printing;
  size_t printed = 0;
  parallel_for(static_cast<int64_t>(chosen.size()), [&](int64_t i) {
    const size_t k = static_cast<size_t>(i);
    const auto start = std::chrono::steady_clock::now();
    Settings own = settings;
    if (next) own.set = as_arguments(words_of(chosen[k]->next.set));
    Lab lab(own);
    chosen[k]->run(lab);
    if (next) lab.effect(chosen[k]->next);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::lock_guard lock(printing);
    found[k] = Result{chosen[k], std::move(lab), seconds};
    for (; printed < found.size() && found[printed]; ++printed) print(*found[printed]);
  });
  std::vector<Result> results;
  for (auto& r : found) results.push_back(std::move(*r));
  return results;
}

int run(const std::vector<std::string>& names, const Settings& settings, bool next, const std::string& out) {
  const std::vector<const Experiment*> chosen = choose(names);
  check(settings.set.empty() || (chosen.size() == 1 && !next),
        "lab: --set changes the parameters of one experiment; name one, and not --next");
  if (!out.empty()) {  // before the work
    std::error_code error;
    std::filesystem::create_directories(out, error);
    if (error) fail(Fault::io, "lab: cannot make {}: {}", out, error.message());
    check_output(out + "/index.html", {});
  }
  const std::vector<Result> results = run_all(chosen, settings, next);
  size_t unexpected = 0, rows = 0;
  for (const Result& r : results) {
    for (const Row& row : r.lab.rows) unexpected += !row.as_expected();
    rows += r.lab.rows.size();
  }
  fmt::print("{} statements, {} with another verdict than expected\n", rows, unexpected);
  if (!out.empty()) {
    write_file(out + "/index.html", html_report(chapters, claims, results, settings.quick));
    for (const Result& r : results)
      for (size_t i = 0; i < r.lab.figures.size(); ++i)
        write_file(fmt::format("{}/{}{}.svg", out, r.experiment->name, i ? fmt::format("-{}", i + 1) : ""),
                   picture(r.lab.figures[i]));
    fmt::print("{}/index.html\n", printable(out));
  }
  return unexpected ? static_cast<int>(Fault::failed) : 0;
}

int program(int argc, char** argv) {
  CLI::App app("Tests claims about batch normalisation: each prediction beside its measurement.", "evenkeel lab");
  app.formatter(std::make_shared<HelpLayout>());
  app.set_help_flag("--help,-h", "print this");
  Settings settings;
  std::vector<std::string> names, set;
  std::string out;
  bool next = false;
  app.add_option("NAME", names, "experiments, or all, or list")->required();
  add_flag(app, "--quick", settings.quick, "smaller samples, shorter training, one seed: a minute for all");
  app.add_option("--set", set, "a parameter of the experiment; `lab list` shows their names and values")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  add_flag(app, "--next", next, "make the change that each experiment proposes, and judge its effect");
  add_text(app, "--out", out, "DIR", "write the report here: index.html and the figures");
  add_text(app, "--data-dir", settings.data_dir, "DIR", "the only folder to search for data sets");
  add_threads(app);
  let_last_count(app);
  app.footer(
      "Exit status: 0 all verdicts are as expected, 1 some are not, 2 usage, 4 a data file is damaged, 5 input or "
      "output failed.");
  try {
    app.parse(argc, argv);
    if (const std::string wrong = usage_fault(app); !wrong.empty()) fail(Fault::usage, "{}", wrong);
    settings.set = as_arguments(set);
    return names.front() == "list" ? list() : run(names, settings, next, out);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "evenkeel: {}\n", printable(usage_fault(app, &error)));
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
