#include "apps/report/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/check.h"

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

Series curve(const std::string& name, const std::vector<EpochRow>& rows, Value value, int color, bool dashed) {
  Series s{.name = name, .x = {}, .y = {}, .color = color, .dashed = dashed};
  for (const EpochRow& r : rows) {
    s.x.push_back(static_cast<double>(r.epoch));
    s.y.push_back(value(r));
  }
  return s;
}

Chart loss_chart() { return {.title = "Loss", .x_label = "epoch", .y_label = "cross-entropy", .series = {}}; }
Chart accuracy_chart() { return {.title = "Accuracy", .x_label = "epoch", .y_label = "fraction right", .series = {}}; }

}  // namespace

std::string log_csv(const std::vector<EpochRow>& rows, bool validation) {
  std::string text = columns + (validation ? validation_columns : "") + "\n";
  for (const EpochRow& r : rows) {
    text += fmt::format("{},{:.6g},{:.6g},{:.6f},{:.6g},{:.6f},{:.1f},{:.3f}", r.epoch, r.lr, r.train_loss, r.train_accuracy,
                        r.test_loss, r.test_accuracy, r.images_per_second, r.seconds);
    if (validation) text += fmt::format(",{:.6g},{:.6f}", *r.validation_loss, *r.validation_accuracy);
    text += "\n";
  }
  return text;
}

std::vector<EpochRow> parse_log_csv(const std::string& text, const std::string& name) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const bool validation = !lines.empty() && lines[0] == columns + validation_columns;
  if (lines.empty() || (lines[0] != columns && !validation)) fail(Fault::bad_file, "{}: its first line must be {}", name, columns);
  std::vector<EpochRow> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::vector<double> v;
    const char *at = lines[i].data(), *end = at + lines[i].size();
    for (bool more = true; more;) {
      const auto [rest, error] = std::from_chars(at, end, v.emplace_back());
      if (error != std::errc() || (rest != end && *rest != ',')) fail(Fault::bad_file, "{}: line {} is not numbers", name, i + 1);
      more = rest != end;
      at = rest + 1;
    }
    if (v.size() != (validation ? 10 : 8)) fail(Fault::bad_file, "{}: line {} has {} columns", name, i + 1, v.size());
    EpochRow& r = rows.emplace_back(EpochRow{static_cast<int64_t>(v[0]), v[1], v[2], v[3], v[4], v[5], v[6], v[7], {}, {}});
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

std::string draw_runs(const std::string& title, const std::vector<NamedLog>& runs) {
  Chart loss = loss_chart(), accuracy = accuracy_chart();
  int color = 0;
  for (const NamedLog& run : runs) {
    loss.series.push_back(curve(run.name + ", training", run.rows, train_loss, color, true));
    loss.series.push_back(curve(run.name + ", test", run.rows, test_loss, color, false));
    accuracy.series.push_back(curve(run.name + ", training", run.rows, train_accuracy, color, true));
    accuracy.series.push_back(curve(run.name + ", test", run.rows, test_accuracy, color, false));
    ++color;
  }
  return svg_picture(title, {loss, accuracy});
}

}  // namespace evenkeel
