#include "apps/report/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "apps/cli/text.h"
#include "core/base/check.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

constexpr int64_t bin_count = 15;

std::string measure(double v) { return std::isnan(v) ? "-" : fmt::format("{:.4f}", v); }

}  // namespace

Interval wilson_interval(int64_t right, int64_t count) {
  check(count >= 1 && right >= 0 && right <= count, "wilson_interval: needs 0 <= right <= count, got {} of {}", right,
        count);
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(right) / n, scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale,
               half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Evaluation::Evaluation(std::vector<std::string> names, std::vector<Answer> answers)
    : names_(std::move(names)), answers_(std::move(answers)), classes_(names_.size()), bins_(bin_count) {
  check(!answers_.empty(), "evaluation: there must be an answer");
  for (const Answer& a : answers_) {
    const bool right = a.label == a.guess;
    ++classes_.at(static_cast<size_t>(a.label)).images;
    ++classes_.at(static_cast<size_t>(a.guess)).guesses;
    classes_[static_cast<size_t>(a.label)].right += right;
    ++confusion_[{a.label, a.guess}];
    right_ += right;
    const auto bin = static_cast<int64_t>(std::ceil(a.confidence * bin_count)) - 1;
    ConfidenceBin& b = bins_[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bin_count - 1))];
    ++b.count;
    b.right += right;
    b.confidence += a.confidence;
  }
  for (ConfidenceBin& b : bins_) b.confidence /= static_cast<double>(std::max<int64_t>(b.count, 1));
}

double Evaluation::mean_f1() const {
  double sum = 0, count = 0;
  for (const ClassMeasures& c : classes_) {
    if (c.images + c.guesses == 0) continue;
    sum += c.f1();
    ++count;
  }
  return sum / count;
}

double Evaluation::calibration_error() const {
  double sum = 0;
  for (const ConfidenceBin& b : bins_)
    sum += std::abs(static_cast<double>(b.right) - b.confidence * static_cast<double>(b.count));
  return sum / static_cast<double>(count());
}

std::vector<Confusion> Evaluation::mistakes() const {
  std::vector<Confusion> found;
  for (const auto& [pair, count] : confusion_) {
    if (pair.first != pair.second) found.push_back({pair.first, pair.second, count});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  return found;
}

std::vector<size_t> Evaluation::surest_mistakes(size_t most) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < answers_.size(); ++i) {
    if (answers_[i].label != answers_[i].guess) found.push_back(i);
  }
  std::stable_sort(found.begin(), found.end(),
                   [&](size_t a, size_t b) { return answers_[a].confidence > answers_[b].confidence; });
  found.resize(std::min(most, found.size()));
  return found;
}

std::string evaluation_text(const Evaluation& e) {
  std::string out;
  const auto add = [&](fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(out), format, fmt::make_format_args(values...));
  };
  std::vector<std::string> names;
  for (const std::string& name : e.names()) names.push_back(shortened(printable(on_one_line(name)), 20));
  const Interval range = wilson_interval(e.right(), e.count());
  add("95 % interval {:.4f} to {:.4f}; mean F1 {:.4f}; expected calibration error {:.4f}\n", range.low, range.high,
      e.mean_f1(), e.calibration_error());

  std::vector<size_t> rows(names.size());
  std::iota(rows.begin(), rows.end(), size_t{0});
  if (rows.size() > 20) {
    const auto f1 = [&](size_t i) { return std::isnan(e.classes()[i].f1()) ? INFINITY : e.classes()[i].f1(); };
    std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) { return f1(a) < f1(b); });
    rows.resize(20);
    add("\nthe 20 of {} classes with the lowest F1:\n", names.size());
  } else {
    out += '\n';
  }
  size_t widest = 5;  // in bytes, an upper bound of columns
  for (const size_t i : rows) widest = std::max(widest, names[i].size());
  const auto padded = [&](const std::string& name) { return fmt::format("{:<{}}", name, widest); };
  add("{}  images  precision  recall      F1\n", padded("class"));
  for (const size_t i : rows) {
    const ClassMeasures& c = e.classes()[i];
    add("{}  {:>6}  {:>9}  {:>6}  {:>6}\n", padded(names[i]), c.images, measure(c.precision()), measure(c.recall()),
        measure(c.f1()));
  }

  if (names.size() <= 12) {
    out += "\nimages of the class on the left that are taken for the class above:\n";
    std::vector<std::string> heads;
    for (const std::string& name : names) heads.push_back(shortened(name, 8));
    size_t width = 4;
    for (const std::string& head : heads) width = std::max(width, head.size());
    out += padded("");
    for (const std::string& head : heads) add("  {:>{}}", head, width);
    out += '\n';
    for (size_t i = 0; i < names.size(); ++i) {
      out += padded(names[i]);
      for (size_t j = 0; j < names.size(); ++j) {
        const auto found = e.confusion().find({static_cast<int32_t>(i), static_cast<int32_t>(j)});
        add("  {:>{}}", found == e.confusion().end() ? "." : std::to_string(found->second), width);
      }
      out += '\n';
    }
    return out;
  }
  const std::vector<Confusion> mistakes = e.mistakes();
  out += mistakes.empty() ? "\nno mistakes\n" : "\nmost frequent mistakes:\n";
  for (size_t i = 0; i < std::min<size_t>(10, mistakes.size()); ++i)
    add("{:>6}  {} taken for {}\n", mistakes[i].count, names[static_cast<size_t>(mistakes[i].label)],
        names[static_cast<size_t>(mistakes[i].guess)]);
  return out;
}

}  // namespace evenkeel
