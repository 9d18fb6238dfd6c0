// Verdicts, and the report as a table for the terminal.
#include "apps/lab/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "apps/cli/text.h"
#include "apps/lab/symbols.h"

namespace evenkeel::lab {
namespace {

std::string number(double v) {
  return v != 0 && std::abs(v) < 1e-4 ? fmt::format("{:.2g}", v) : fmt::format("{:.7g}", v);
}
std::string numbers(const std::vector<double>& all) {
  std::vector<std::string> texts;
  for (double v : all) texts.push_back(fmt::format("{:.4g}", v));
  return joined(texts);
}
Verdict judge(bool holds) { return holds ? Verdict::holds : Verdict::fails; }
bool inside(double low, double high, const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [=](double v) { return v >= low && v <= high; });
}

}  // namespace

std::string word(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::only_if:
      return "only if";
    case Verdict::fails:
      return "FAILS";
    case Verdict::not_judged:
      return "not judged";
  }
  return "";
}

std::string as_set(const std::string& options) {
  std::string all;
  for (char c : options)
    if (c == ':')
      all += all.empty() ? "--set " : " --set ";
    else if (c != '[' && c != ']')
      all += c;
  return all;
}

void Lab::check_names(const std::string& experiment, const std::vector<std::string>& known) const {
  std::istringstream options(settings_.set);
  for (std::string one; std::getline(options, one, ':');) {
    if (one.empty()) continue;  // before the first colon
    const std::string name = one.substr(0, one.find('='));
    check(std::find(known.begin(), known.end(), name) != known.end(),
          "lab: {} has no parameter called \"{}\". Known are {}", experiment, name, joined(known));
  }
}

void Lab::equal(const std::string& claim, const std::string& statement, double predicted, double measured,
                double tolerance) {
  const double allowed = tolerance * (1 + std::abs(predicted));
  rows.push_back({claim,
                  statement,
                  number(predicted),
                  number(measured),
                  "+- " + number(tolerance),
                  judge(std::abs(measured - predicted) <= allowed),
                  Verdict::holds,
                  {measured}});
}

void Lab::same(const std::string& claim, const std::string& statement, const Tensor& predicted, const Tensor& measured,
               double tolerance) {
  check(predicted.shape() == measured.shape(), "lab: {} predicts {}, measured {}", claim, predicted.shape(),
        measured.shape());
  double worst = 0;
  for (int64_t i = 0; i < predicted.size(); ++i) {
    const double d = std::abs(predicted.data()[i] - measured.data()[i]) / (1 + std::abs(predicted.data()[i]));
    worst = d > worst || std::isnan(d) ? d : worst;  // NaN wins
  }
  rows.push_back({claim, statement, "equal", "differ by " + number(worst), "+- " + number(tolerance),
                  judge(worst <= tolerance), Verdict::holds});
}

void Lab::same(const std::string& claim, const std::string& statement, const std::vector<double>& predicted,
               const std::vector<double>& measured, double tolerance) {
  const auto tensor = [](const std::vector<double>& v) { return Tensor::of({static_cast<int64_t>(v.size())}, v); };
  same(claim, statement, tensor(predicted), tensor(measured), tolerance);
}

void Lab::yes(const std::string& claim, const std::string& statement, bool measured) {
  rows.push_back(
      {claim, statement, "yes", measured ? "yes" : "no", "", judge(measured), Verdict::holds, {measured ? 1. : 0.}});
}

void Lab::expected(const std::string& claim, const std::string& statement, double predicted, const Sample& measured) {
  const double allowed = 4 * measured.error();
  rows.push_back({claim,
                  statement,
                  number(predicted),
                  number(measured.mean()),
                  fmt::format("+- {:.2g} (4 s.e.)", allowed),
                  judge(std::abs(measured.mean() - predicted) <= allowed),
                  Verdict::holds,
                  {measured.mean()}});
}

void Lab::between(const std::string& claim, const std::string& statement, double low, double high,
                  const std::vector<double>& measured, bool of_data) {
  const std::string band = high == INFINITY   ? fmt::format("at least {:.4g}", low)
                           : low == -INFINITY ? fmt::format("at most {:.4g}", high)
                                              : fmt::format("{:.4g} to {:.4g}", low, high);
  rows.push_back({claim, statement, band, numbers(measured), "the band",
                  !standard() || (of_data && synthetic()) ? Verdict::not_judged : judge(inside(low, high, measured)),
                  Verdict::holds, measured});
}

void Lab::not_found_again(const std::string& claim, const std::string& statement, double low, double high,
                          const std::vector<double>& measured, const std::string& why) {
  between(claim, statement, low, high, measured, true);
  rows.back().expected = Verdict::fails;
  if (rows.back().verdict != Verdict::not_judged) say(fmt::format("Not found again: \"{}\". {}", statement, why));
}

void Lab::observed(const std::string& claim, const std::string& statement, const std::string& elsewhere,
                   const std::vector<double>& measured) {
  rows.push_back(
      {claim, statement, elsewhere, numbers(measured), "", Verdict::not_judged, Verdict::not_judged, measured});
}

void Lab::effect(const Next& next) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& r) {
    return plain(r.statement).starts_with(next.row) && !r.values.empty();
  });
  check(found != rows.end(), "lab: no statement with a number begins with '{}'", next.row);
  const std::vector<double> values = found->values;
  rows.push_back({found->claim, "tried next: " + found->statement, fmt::format("{:.4g} to {:.4g}", next.low, next.high),
                  numbers(values), "the band",
                  synthetic() ? Verdict::not_judged : judge(inside(next.low, next.high, values)), Verdict::holds,
                  values});
}

void Lab::only_if(const std::string& claim, const std::string& statement, const std::string& condition,
                  const std::string& measured, bool true_under_it, bool true_without, bool of_data) {
  rows.push_back({claim, statement, "only if " + condition, measured, "",
                  !standard() || (of_data && synthetic()) ? Verdict::not_judged
                  : !true_under_it                        ? Verdict::fails
                  : true_without                          ? Verdict::holds
                                                          : Verdict::only_if,
                  Verdict::only_if});
}

const DataSplit& Lab::images() {
  if (images_.train.size() == 0) {
    try {
      images_ = load_dataset("fashion-mnist", settings_.data_dir);
    } catch (const Error& error) {
      if (error.fault != Fault::missing) throw;
      images_ = load_dataset("synthetic");
      say("Fashion-MNIST was not found: these are the drawn images of `synthetic`, for which no band was fixed, so the "
          "statistical rows "
          "are not judged.");
    }
  }
  return images_;
}

std::string terminal_table(const std::vector<Row>& rows) {
  const auto cells = [](const Row& r) {
    return std::vector<std::string>{
        r.claim,           plain(r.statement), plain(r.predicted),
        plain(r.measured), r.allowed,          word(r.verdict) + (r.as_expected() ? "" : " (unexpected)")};
  };
  std::vector<std::vector<std::string>> table{{"claim", "statement", "predicted", "measured", "allowed", "verdict"}};
  for (const Row& r : rows) table.push_back(cells(r));
  std::vector<size_t> widths(table[0].size());
  const auto width = [](const std::string& text) {  // code points
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  };
  for (const auto& line : table)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  std::string out;
  for (const auto& line : table) {
    for (size_t i = 0; i < line.size(); ++i) out += line[i] + std::string(widths[i] - width(line[i]) + 2, ' ');
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

}  // namespace evenkeel::lab
