#include "apps/report/axis.h"

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel {
namespace {

// "0.01", "100", and "10⁻⁵" where that would be long.
std::string decade(int exponent) {
  if (exponent > -4 && exponent < 4) return fmt::format("{:g}", std::pow(10, exponent));
  std::string raised;
  for (char c : std::to_string(exponent)) {
    constexpr const char* digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    raised += c == '-' ? "⁻" : digits[c - '0'];
  }
  return "10" + raised;
}

std::vector<Tick> decades(const AxisRange& logs) {
  std::vector<Tick> ticks;
  const int low = static_cast<int>(std::floor(logs.low)), high = static_cast<int>(std::ceil(logs.high));
  const bool few = logs.high - logs.low < 2.5;  // decades
  const int every = 1 + (high - low) / 8;
  for (int e = low; e <= high; ++e)
    for (int k = 1; k < 10; ++k) {
      const double at = e + std::log10(k);
      if (at < logs.low - 1e-9 || at > logs.high + 1e-9) continue;
      const bool named = k == 1 ? (e - low) % every == 0 : few && (k == 2 || k == 5);
      if (every == 1 || named)
        ticks.push_back({std::pow(10, at), named ? k == 1 ? decade(e) : fmt::format("{:g}", k * std::pow(10, e)) : ""});
    }
  return ticks;
}

// With enough decimals to distinguish the ticks.
std::string tick_label(double v, const std::vector<double>& ticks) {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1,
               largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  if (largest >= 1e6 || step < 1e-5) return fmt::format("{:.4g}", v);
  return fmt::format("{:.{}f}", v, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

// `count`: about how many; `whole`: no fractions.
std::vector<Tick> ticks_of(const Axis& axis, int count, bool whole = false) {
  if (axis.log) return decades(axis.range);
  const std::vector<double> values = axis_ticks(axis.range.low, axis.range.high, count, whole ? 1 : 0);
  std::vector<Tick> ticks;
  for (double v : values) ticks.push_back({v, tick_label(v, values)});
  return ticks;
}

}  // namespace

void AxisRange::include(double v) {
  if (!std::isfinite(v)) return;
  low = std::min(low, v);
  high = std::max(high, v);
}

void AxisRange::widen(double share) {
  if (low > high) low = high = 0;
  // Nearly equal values are drawn as equal: doubles have no room for ticks between them.
  const double extent = high - low, least = std::max(1e-9 * std::max(std::abs(low), std::abs(high)), 1e-30);
  const double margin = extent > least ? share * extent : std::max(std::abs(low) * 0.1, 0.5);
  low -= margin;
  high += margin;
}

Axes axes_of(const Chart& chart, double x_left, double x_right, double y_top, double y_bottom, int x_count) {
  Axes a{{chart.log_x, {}, x_left, x_right}, {chart.log_y, {}, y_bottom, y_top}};
  bool whole = true;  // x counts something
  for (const Series& s : chart.series) {
    for (size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!a.finite(s, i)) continue;
      a.x.range.include(a.x.place(s.x[i]));
      whole = whole && s.x[i] == std::round(s.x[i]);
      a.y.range.include(a.y.place(s.y[i]));
    }
  }
  a.x.range.widen(0);
  a.y.range.widen(0.05);
  a.x.ticks = ticks_of(a.x, x_count, whole);
  a.y.ticks = ticks_of(a.y, 6);
  return a;
}

std::vector<double> axis_ticks(double low, double high, int count, double least_step) {
  const double raw = std::max((high - low) / count, least_step), power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= raw) step = factor * power;
  }
  std::vector<double> ticks;
  for (double n = std::ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; ++n)
    ticks.push_back(n == 0 ? 0 : n * step);
  return ticks;
}

}  // namespace evenkeel
