#include "apps/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apps/cli/text.h"

namespace evenkeel {
namespace {

// Okabe and Ito's palette, a grey in the place of its yellow. Any two are 16 apart in CIELAB, for the colour-blind too.
constexpr const char* colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                  "#e69f00", "#56b4e9", "#000000", "#606060"};

// Pixels: one chart's place, the margins around its plotting area, a legend's row.
constexpr double chart_width = 460, chart_height = 330, left = 58, right = 18, top = 52, bottom = 46, legend_row = 19;

// The range of the finite values, widened so that it has an inside.
struct Range {
  double low = INFINITY, high = -INFINITY;
  void include(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  void widen(double share) {
    if (low > high) low = high = 0;
    // Nearly equal values are drawn as equal ones: there are no ticks between neighbouring numbers.
    const double extent = high - low, least = std::max(1e-9 * std::max(std::abs(low), std::abs(high)), 1e-30);
    const double margin = extent > least ? share * extent : std::max(std::abs(low) * 0.1, 0.5);
    low -= margin;
    high += margin;
  }
};

void text(std::string& out, double x, double y, const char* anchor, const char* style, const std::string& content) {
  fmt::format_to(std::back_inserter(out), "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                 x, y, anchor, style, markup_text(content));
}

// With as many decimals as tell the ticks apart.
std::string tick_label(double v, const std::vector<double>& ticks) {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1,
               largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  if (largest >= 1e6 || step < 1e-5) return fmt::format("{:.4g}", v);
  return fmt::format("{:.{}f}", v, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

std::string stroke(const Series& s) {
  constexpr const char* dashes[] = {"", " stroke-dasharray=\"5 4\"", " stroke-dasharray=\"1.5 3.5\"",
                                    " stroke-dasharray=\"10 3 2 3\""};
  return fmt::format("stroke=\"{}\"{}", colors[static_cast<size_t>(s.color) % std::size(colors)],
                     dashes[static_cast<size_t>(s.dashed) % std::size(dashes)]);
}

void legend_entry(std::string& out, const Series& s, double x, double y, const std::string& name) {
  fmt::format_to(std::back_inserter(out), "<path d=\"M{:.1f} {:.1f}h26\" class=\"line\" {}/>\n", x, y - 4, stroke(s));
  text(out, x + 34, y, "start", "label", name);
}

void draw(std::string& out, const Chart& chart, double x0, double y0) {
  Range xs, ys;
  bool whole = true;  // x counts something
  for (const Series& s : chart.series) {
    for (size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
      xs.include(s.x[i]);
      whole = whole && s.x[i] == std::round(s.x[i]);
      ys.include(s.y[i]);
    }
  }
  xs.widen(0);
  ys.widen(0.05);
  const double x_left = x0 + left, x_right = x0 + chart_width - right, y_top = y0 + top,
               y_bottom = y0 + chart_height - bottom;
  auto at_x = [&](double v) { return x_left + (v - xs.low) / (xs.high - xs.low) * (x_right - x_left); };
  auto at_y = [&](double v) { return y_bottom - (v - ys.low) / (ys.high - ys.low) * (y_bottom - y_top); };
  auto append = [&](fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(out), format, fmt::make_format_args(values...));
  };

  const std::vector<double> x_ticks = axis_ticks(xs.low, xs.high, 8, whole ? 1 : 0),
                            y_ticks = axis_ticks(ys.low, ys.high, 6);
  for (double v : y_ticks) {
    append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>\n", x_left, x_right, at_y(v),
           at_y(v));
    text(out, x_left - 7, at_y(v) + 4, "end", "tick", tick_label(v, y_ticks));
  }
  for (double v : x_ticks) {
    append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"axis\"/>\n", at_x(v), at_x(v),
           y_bottom, y_bottom + 4);
    text(out, at_x(v), y_bottom + 18, "middle", "tick", tick_label(v, x_ticks));
  }
  append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"axis\"/>\n", x_left, x_right, y_bottom,
         y_bottom);
  text(out, (x_left + x_right) / 2, y_bottom + 37, "middle", "label", chart.x_label);
  text(out, x0 + 12, y_top - 13, "start", "label", chart.y_label);
  text(out, (x_left + x_right) / 2, y0 + 18, "middle", "heading", chart.title);

  for (bool dashed : {false, true}) {  // a dashed line is seen on one drawn through, not under it
    for (const Series& s : chart.series) {
      if ((s.dashed > 0) != dashed) continue;
      std::string path;
      bool pen_down = false;
      const size_t points = std::min(s.x.size(), s.y.size());
      for (size_t i = 0; i < points; ++i) {
        const bool finite = std::isfinite(s.x[i]) && std::isfinite(s.y[i]);
        if (finite) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", at_x(s.x[i]), at_y(s.y[i]));
        pen_down = finite;
        if (finite && !dashed && points <= 40) {
          append("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" fill=\"{}\"/>\n", at_x(s.x[i]), at_y(s.y[i]),
                 colors[static_cast<size_t>(s.color) % std::size(colors)]);
        }
      }
      if (!path.empty()) append("<path d=\"{}\" class=\"line\" {}/>\n", path, stroke(s));
    }
  }
}

std::string picture(const std::string& title, double width, double height) {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\">\n"
      "<title>{2}</title>\n"
      "<style>text{{font-family:system-ui,'Helvetica Neue',Arial,sans-serif;fill:#333}} "
      ".title{{font-size:16px;font-weight:600}} "
      ".heading{{font-size:14px;font-weight:600}} .label{{font-size:12px}} .tick{{font-size:11px;fill:#666}} "
      ".grid{{stroke:#e6e6e6}} .axis{{stroke:#888}} .line{{fill:none;stroke-width:1.8;stroke-linejoin:round}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height, markup_text(title));
  if (!title.empty()) text(out, width / 2, 25, "middle", "title", title);
  return out;
}

double head_of(const std::string& title) { return title.empty() ? 8 : 38; }

}  // namespace

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

std::string svg_picture(const std::string& title, const std::vector<Chart>& charts) {
  size_t rows = 0;
  for (const Chart& c : charts) rows = std::max(rows, c.series.size());
  const double head = head_of(title);
  std::string out = picture(title, chart_width * static_cast<double>(charts.size()),
                            head + chart_height + legend_row * static_cast<double>(rows) + 8);
  for (size_t i = 0; i < charts.size(); ++i) {
    const double x = chart_width * static_cast<double>(i);
    draw(out, charts[i], x, head);
    double y = head + chart_height + 12;
    for (const Series& s : charts[i].series) {
      legend_entry(out, s, x + left, y, s.name);
      y += legend_row;
    }
  }
  return out + "</svg>\n";
}

std::string svg_rows(const std::string& title, const std::vector<Chart>& charts) {
  const std::vector<Series>& series = charts.at(0).series;
  // A column of the legend is wide enough for the longest name, of which a letter takes about 6.5 pixels.
  const size_t columns = series.size() > 8 ? 3 : 2, letters = columns == 3 ? 36 : 58,
               rows = (series.size() + columns - 1) / columns;
  const double head = head_of(title), width = 2 * chart_width,
               charts_end = head + chart_height * std::ceil(static_cast<double>(charts.size()) / 2);
  std::string out = picture(title, width, charts_end + legend_row * static_cast<double>(rows) + 8);
  for (size_t i = 0; i < charts.size(); ++i)
    draw(out, charts[i], chart_width * static_cast<double>(i % 2), head + chart_height * static_cast<double>(i / 2));
  for (size_t i = 0; i < series.size(); ++i)  // down the columns
    legend_entry(out, series[i], left + (width - left) / static_cast<double>(columns) * static_cast<double>(i / rows),
                 charts_end + 12 + legend_row * static_cast<double>(i % rows), shortened(series[i].name, letters));
  return out + "</svg>\n";
}

}  // namespace evenkeel
