#include "apps/report/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/text.h"
#include "core/base/check.h"
#include "core/base/number.h"
#include "core/io/file.h"

namespace evenkeel {
namespace {

const std::string columns = "epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds";
const std::string validation_columns = ",validation_loss,validation_accuracy";

using Value = double (*)(const EpochRow&);
double train_loss(const EpochRow& r) { return r.train_loss; }
double test_loss(const EpochRow& r) { return r.test_loss; }
double train_accuracy(const EpochRow& r) { return r.train_accuracy; }
double test_accuracy(const EpochRow& r) { return r.test_accuracy; }
double validation_loss(const EpochRow& r) { return r.validation_loss.value_or(NAN); }
double validation_accuracy(const EpochRow& r) { return r.validation_accuracy.value_or(NAN); }

Series curve(const std::string& name, const std::vector<EpochRow>& rows, Value value, int color, int dashed) {
  Series s{.name = name, .x = {}, .y = {}, .color = color, .dashed = dashed};
  for (const EpochRow& r : rows) {
    s.x.push_back(static_cast<double>(r.epoch));
    s.y.push_back(value(r));
  }
  return s;
}

// s_t = sum_k w^(t-k) y_k / sum_k w^(t-k), k <= t; values that are not finite stay and are left out of the sums.
void smooth(std::vector<double>& y, double w) {
  double sum = 0, weight = 0;
  for (double& v : y) {
    if (!std::isfinite(v)) continue;
    sum = w * sum + v;
    weight = w * weight + 1;
    v = sum / weight;
  }
}

Chart loss_chart() { return {.title = "Loss", .x_label = "epoch", .y_label = "cross-entropy", .series = {}}; }
Chart accuracy_chart() { return {.title = "Accuracy", .x_label = "epoch", .y_label = "fraction right", .series = {}}; }

}  // namespace

std::string log_csv(const std::vector<EpochRow>& rows, bool validation) {
  std::string text = columns + (validation ? validation_columns : "") + "\n";
  for (const EpochRow& r : rows) {
    text += fmt::format("{},{:.6g},{:.6g},{:.6f},{:.6g},{:.6f},{:.1f},{:.3f}", r.epoch, r.lr, r.train_loss,
                        r.train_accuracy, r.test_loss, r.test_accuracy, r.images_per_second, r.seconds);
    if (validation) text += fmt::format(",{:.6g},{:.6f}", *r.validation_loss, *r.validation_accuracy);
    text += "\n";
  }
  return text;
}

std::vector<EpochRow> read_log_csv(const std::string& path) {
  return parse_log_csv(read_file(path, 128 << 20), path);  // more than a million epochs, the most that a run has
}

std::vector<EpochRow> parse_log_csv(const std::string& text, const std::string& name) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
  }
  const bool validation = !lines.empty() && lines[0] == columns + validation_columns;
  if (lines.empty() || (lines[0] != columns && !validation))
    fail(Fault::bad_file, "{}: line 1 must be {}, got \"{}\"", name, columns,
         shortened(lines.empty() ? "" : std::string(lines[0]), 200));
  std::vector<EpochRow> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::vector<double> v;
    const char *at = lines[i].data(), *end = at + lines[i].size();
    const size_t wanted = validation ? 10 : 8;
    for (bool more = true; more;) {
      const auto [rest, error] = read_number(at, end, v.emplace_back());
      if (error == std::errc::result_out_of_range || !std::isfinite(v.back()))
        fail(Fault::bad_file, "{}: line {} holds a number that is not finite in a double", name, i + 1);
      if (error != std::errc() || (rest != end && *rest != ','))
        fail(Fault::bad_file, "{}: line {} must be {} numbers with commas between them, got \"{}\"", name, i + 1,
             wanted, shortened(std::string(lines[i]), 200));
      if (v.size() > wanted) break;
      more = rest != end;
      at = rest + 1;
    }
    if (v.size() != wanted)
      fail(Fault::bad_file, "{}: line {} must have {} columns, it has {}", name, i + 1, wanted,
           v.size() > wanted ? fmt::format("more than {}", wanted) : std::to_string(v.size()));
    if (v[0] != static_cast<double>(i))
      fail(Fault::bad_file, "{}: line {} must be epoch {}, it is {}", name, i + 1, i, v[0]);
    for (const double value : v) {
      if (std::abs(value) > 1e300)
        fail(Fault::bad_file, "{}: line {} holds {}; no run has a number above 1e300", name, i + 1, value);
    }
    EpochRow& r =
        rows.emplace_back(EpochRow{static_cast<int64_t>(v[0]), v[1], v[2], v[3], v[4], v[5], v[6], v[7], {}, {}});
    if (validation) {
      r.validation_loss = v[8];
      r.validation_accuracy = v[9];
    }
  }
  return rows;
}

std::string draw_run(const std::string& title, const std::vector<EpochRow>& rows) {
  Chart loss = loss_chart(), accuracy = accuracy_chart();
  loss.series = {curve("training", rows, train_loss, 0, true), curve("test", rows, test_loss, 1, false)};
  accuracy.series = {curve("training", rows, train_accuracy, 0, true), curve("test", rows, test_accuracy, 1, false)};
  if (!rows.empty() && rows[0].validation_loss) {
    loss.series.push_back(curve("validation", rows, validation_loss, 2, false));
    accuracy.series.push_back(curve("validation", rows, validation_accuracy, 2, false));
  }
  return svg_picture(title, {loss, accuracy});
}

std::string draw_runs(const std::string& title, const std::vector<NamedLog>& runs, const RunsPicture& options) {
  check(runs.size() <= most_styles, "plot: at most {} runs can be drawn, got {}", most_styles, runs.size());
  const bool validation = std::any_of(runs.begin(), runs.end(), [](const NamedLog& run) {
    return !run.rows.empty() && run.rows[0].validation_loss.has_value();
  });
  const struct {
    const char* images;
    bool drawn;
    Value loss, accuracy;
  } parts[] = {{"training", true, train_loss, train_accuracy},
               {"validation", validation, validation_loss, validation_accuracy},
               {"test", options.test, test_loss, test_accuracy}};
  std::vector<Chart> charts;
  for (const auto& part : parts) {
    if (!part.drawn) continue;
    for (auto [chart, value] : {std::pair(loss_chart(), part.loss), std::pair(accuracy_chart(), part.accuracy)}) {
      chart.title += fmt::format(" on {} images", part.images);
      for (size_t i = 0; i < runs.size(); ++i) {
        const int number = static_cast<int>(i);
        Series s = curve(runs[i].name, runs[i].rows, value, number % 8, number / 8);
        smooth(s.y, options.smooth);
        chart.series.push_back(std::move(s));
      }
      charts.push_back(std::move(chart));
    }
  }
  return svg_rows(title, charts);
}

}  // namespace evenkeel
