#include "apps/report/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/cli/run_file.h"
#include "apps/cli/text.h"
#include "core/base/check.h"
#include "core/base/number.h"
#include "core/io/file.h"
#include "core/io/json_check.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

// The names of the options in which the runs differ.
std::vector<std::string> differences(const std::vector<RunRecord>& runs) {
  std::set<std::string> names;
  for (const RunRecord& run : runs) {
    for (const auto& [name, value] : run.options) names.insert(name);
  }
  for (const char* name : {"threads", "data-dir", "checkpoint-every"}) names.erase(name);
  std::erase_if(names, [&](const std::string& name) {
    const auto value = [&](const RunRecord& run) {
      const auto found = run.options.find(name);
      return found == run.options.end() ? std::string() : found->second;
    };
    return std::all_of(runs.begin(), runs.end(), [&](const RunRecord& r) { return value(r) == value(runs[0]); });
  });
  return {names.begin(), names.end()};
}

}  // namespace

void check_result(const std::string& path, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) check_output(path, {input});
  const fs::path file = fs::absolute(path), config = file.parent_path() / "config.json";
  std::error_code ignored;
  for (const char* name : run_files)
    check(file.filename() != name || !fs::exists(file, ignored) || !fs::exists(config, ignored),
          "the output {} is a file of the run in its folder; choose another name", path);
}

bool RunRecord::finished() const {
  const auto done = static_cast<int64_t>(rows.size());
  return done >= epochs || (patience > 0 && done > 0 && done - best()->epoch >= patience);
}

const EpochRow* RunRecord::best() const {
  const auto accuracy = [](const EpochRow& r) { return r.validation_accuracy.value_or(r.test_accuracy); };
  const auto found = std::max_element(rows.begin(), rows.end(),
                                      [&](const EpochRow& a, const EpochRow& b) { return accuracy(a) < accuracy(b); });
  return found == rows.end() ? nullptr : &*found;
}

std::map<std::string, std::string> run_options(const std::string& folder) {
  const std::string file = run_file(fs::path(folder) / "config.json").string(), text = read_file(file, 1 << 20);
  check_json(text, file);
  const auto config = nlohmann::json::parse(text);
  if (!config.is_object() || !config.contains("options") || !config["options"].is_object())
    fail(Fault::bad_file, "{}: must be a JSON object with \"options\" in it, as evenkeel train writes it", file);
  std::map<std::string, std::string> options;
  for (const auto& [name, value] : config["options"].items())
    options[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return options;
}

RunRecord read_run(const std::string& folder) {
  const fs::path config = run_file(fs::path(folder) / "config.json"), log = run_file(fs::path(folder) / "log.csv");
  RunRecord run{
      .name = fs::absolute(folder).lexically_normal().filename().string(), .options = run_options(folder), .rows = {}};
  const auto number = [&](const char* name, int64_t& value) {
    const auto found = run.options.find(name);
    return found != run.options.end() && parse_number(found->second, value);
  };
  if (!number("epochs", run.epochs))
    fail(Fault::bad_file, "{}: its \"options\" must have \"epochs\", an integer", config.string());
  number("patience", run.patience);
  std::error_code ignored;
  const bool logged = fs::exists(log, ignored);
  if (logged) run.rows = read_log_csv(log.string());
  run.changed =
      std::chrono::nanoseconds(fs::last_write_time(logged ? log : config, ignored).time_since_epoch()).count();
  return run;
}

std::string runs_table(std::vector<RunRecord> runs, RunOrder order) {
  std::stable_sort(runs.begin(), runs.end(), [&](const RunRecord& a, const RunRecord& b) {
    if (order == RunOrder::newest) return a.changed > b.changed;
    const auto accuracy = [](const RunRecord& r) { return r.best() ? r.best()->test_accuracy : -1; };
    return accuracy(a) > accuracy(b);
  });
  const std::vector<std::string> options = differences(runs);
  std::vector<std::vector<std::string>> table{{"run", "best test accuracy", "at epoch", "last", "trained"}};
  table[0].insert(table[0].end(), options.begin(), options.end());
  for (const RunRecord& run : runs) {
    const EpochRow* best = run.best();
    std::vector<std::string>& row = table.emplace_back();
    row = {shortened(printable(on_one_line(run.name)), 40), best ? fmt::format("{:.4f}", best->test_accuracy) : "-",
           best ? std::to_string(best->epoch) : "-", best ? fmt::format("{:.4f}", run.rows.back().test_accuracy) : "-",
           run.finished() ? std::to_string(run.rows.size())
                          : fmt::format("{} of {}, unfinished", run.rows.size(), run.epochs)};
    for (const std::string& name : options) {
      const auto found = run.options.find(name);
      row.push_back(found == run.options.end() ? "-" : shortened(printable(on_one_line(found->second)), 24));
    }
  }
  std::string out;
  std::vector<size_t> widths(table[0].size());  // in bytes, an upper bound of columns
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : table) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace evenkeel
