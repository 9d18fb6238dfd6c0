#include "apps/train/ablation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "core/base/check.h"
#include "core/io/file.h"
#include "core/io/json_check.h"

namespace evenkeel {
namespace {

double mean_of(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

std::string difference_text(const Difference& d) {
  if (d.pairs == 0) return "";
  const std::string mean = fmt::format("{:+.2f}", d.mean);
  if (d.pairs == 1) return mean;
  return fmt::format("{0}{1} +- {2:.2f}{0}", d.clear() ? "**" : "", mean, d.error);
}

}  // namespace

std::vector<Variant> read_variants(const std::string& path, const TrainWords& set) {
  const std::string text = read_file(path, 1 << 20);
  check_json(text, path);
  const auto file = nlohmann::ordered_json::parse(text);  // keeps the order of the variants
  const auto is_options = [](const auto& json) {
    return json.is_object() && std::all_of(json.begin(), json.end(),
                                           [](const auto& value) { return value.is_primitive() && !value.is_null(); });
  };
  const auto variants = file.find("variants"), common = file.find("options");
  if (!file.is_object() || variants == file.end() || !variants->is_object() || variants->empty() ||
      (common != file.end() && !is_options(*common)))
    fail(Fault::bad_file, "{}: must be {{\"options\": {{...}}, \"variants\": {{\"NAME\": {{...}}, ...}}}}", path);
  std::vector<Variant> all;
  for (const auto& [name, own] : variants->items()) {
    if (name.empty()) fail(Fault::bad_file, "{}: a variant's name must not be empty", path);
    if (!is_options(own))
      fail(Fault::bad_file, "{}: the variant \"{}\" must be an object of options of evenkeel train", path, name);
    Variant v{name, common == file.end() ? TrainWords::object() : TrainWords::parse(common->dump())};
    v.options.update(set);
    v.options.update(TrainWords::parse(own.dump()));
    for (const char* ours : {"seed", "out", "overwrite", "threads", "resume", "list-recipes", "help"})
      if (v.options.contains(ours))
        fail(Fault::bad_file, "{}: the variant \"{}\" must not have the option \"{}\"; leave it out", path, name, ours);
    all.push_back(std::move(v));
  }
  return all;
}

std::vector<FinishedRun> read_ablation_log(const std::string& path) {
  std::vector<FinishedRun> runs;
  std::istringstream lines(read_file(path, 1 << 26));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = fmt::format("{}: line {}", path, ++number);
    check_json(line, where);
    const auto json = nlohmann::json::parse(line);
    try {
      FinishedRun run{json.at("variant"), json.at("seed"), json.at("options"), json.at("accuracy"), json.at("seconds")};
      if (json.contains("views")) run.views = json["views"].get<double>();
      runs.push_back(std::move(run));
    } catch (const nlohmann::json::exception&) {
      fail(Fault::bad_file,
           "{} must have a \"variant\", a \"seed\", \"options\", \"accuracy\" and \"seconds\" of each epoch, and may "
           "have \"views\"",
           where);
    }
  }
  return runs;
}

std::string log_line(const FinishedRun& run) {
  nlohmann::ordered_json json{{"variant", run.variant},
                              {"seed", run.seed},
                              {"options", nlohmann::ordered_json::parse(run.options.dump())},
                              {"accuracy", run.accuracy},
                              {"seconds", run.seconds}};
  if (run.views) json["views"] = *run.views;
  return json.dump() + "\n";
}

const FinishedRun* find_run(const std::vector<FinishedRun>& runs, const Variant& variant, uint64_t seed) {
  for (const FinishedRun& run : runs)
    if (run.seed == seed && run.options == variant.options) return &run;
  return nullptr;
}

bool Difference::clear() const { return std::abs(mean) > 2 * error; }

Difference paired_difference(const std::vector<double>& before, const std::vector<double>& after) {
  check(before.size() == after.size(), "paired_difference: before and after must have as many numbers, got {} and {}",
        before.size(), after.size());
  if (before.empty()) return {};
  const auto n = static_cast<double>(before.size());
  std::vector<double> d(before.size());
  for (size_t i = 0; i < d.size(); ++i) d[i] = after[i] - before[i];
  Difference result{static_cast<int64_t>(d.size()), mean_of(d), std::numeric_limits<double>::quiet_NaN()};
  double squares = 0;
  for (const double v : d) squares += (v - result.mean) * (v - result.mean);
  if (d.size() > 1) result.error = std::sqrt(squares / (n - 1) / n);
  return result;
}

std::string ablation_table(const std::vector<Variant>& variants, const std::vector<FinishedRun>& runs, uint64_t seeds) {
  using Measure = std::optional<double> (*)(const FinishedRun*);
  const Measure on_views = [](const FinishedRun* run) { return run ? run->views : std::nullopt; };
  const Measure plain = [](const FinishedRun* run) {
    return run && !run->accuracy.empty() ? std::optional(run->accuracy.back()) : std::nullopt;
  };
  std::vector<Measure> measures{plain};
  for (uint64_t seed = 1; seed <= seeds && measures.size() == 1; ++seed)
    if (on_views(find_run(runs, variants.front(), seed))) measures = {on_views, plain};
  std::string text = measures.size() == 2 ? "| variant | seeds | on several views | difference | without | difference "
                                            "|\n|---|---|---|---|---|---|\n"
                                          : "| variant | seeds | test accuracy | difference |\n|---|---|---|---|\n";
  for (const Variant& variant : variants) {
    int64_t finished = 0, failed = 0;
    std::string cells;
    for (const Measure measure : measures) {
      finished = failed = 0;
      std::vector<double> all, before, after;
      for (uint64_t seed = 1; seed <= seeds; ++seed) {
        const FinishedRun *first = find_run(runs, variants.front(), seed), *run = find_run(runs, variant, seed);
        if (run) ++(run->accuracy.empty() ? failed : finished);
        const std::optional<double> a = measure(run), b = measure(first);
        if (a) all.push_back(100 * *a);
        if (a && b && &variant != &variants.front()) before.push_back(100 * *b), after.push_back(100 * *a);
      }
      cells += fmt::format(" {} | {} |", all.empty() ? "-" : fmt::format("{:.2f}", mean_of(all)),
                           difference_text(paired_difference(before, after)));
    }
    text += fmt::format("| {} | {}{} |{}\n", variant.name, finished, failed ? fmt::format(", {} failed", failed) : "",
                        cells);
  }
  return text;
}

}  // namespace evenkeel
