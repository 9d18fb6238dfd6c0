#include "apps/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apps/cli/text.h"
#include "apps/report/axis.h"

namespace evenkeel {
namespace {

// Okabe and Ito's palette, with grey in place of yellow. Any two differ by at least 16 in CIELAB, for colour-blind
// readers too.
constexpr const char* colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                  "#e69f00", "#56b4e9", "#000000", "#606060"};

// In pixels: a chart's size, the margins around its plotting area, a legend's row.
constexpr double chart_width = 460, chart_height = 330, left = 58, right = 18, top = 52, bottom = 46, legend_row = 19;

void text(std::string& out, double x, double y, const char* anchor, const char* style, const std::string& content) {
  fmt::format_to(std::back_inserter(out), "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                 x, y, anchor, style, markup_text(content));
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

void grid_lines(std::string& out, const Axes& a, double tick_space, double label_space) {
  auto append = [&](fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(out), format, fmt::make_format_args(values...));
  };
  for (const Tick& t : a.y.ticks) {
    const double y = a.y.at(t.value), x_right = t.label.empty() ? a.x.from + 4 : a.x.to;
    append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", a.x.from, x_right, y, y,
           t.label.empty() ? "axis" : "grid");
    if (!t.label.empty()) text(out, a.x.from - 7, y + 4, "end", "tick", t.label);
  }
  for (const Tick& t : a.x.ticks) {
    const double x = a.x.at(t.value), y_end = a.y.from + (t.label.empty() ? 2 : tick_space);
    append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"axis\"/>\n", x, x, a.y.from, y_end);
    if (!t.label.empty()) text(out, x, a.y.from + label_space, "middle", "tick", t.label);
  }
  append("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"axis\"/>\n", a.x.from, a.x.to, a.y.from,
         a.y.from);
}

void lines(std::string& out, const Chart& chart, const Axes& a) {
  for (bool dashed : {false, true}) {  // dashed lines go over solid ones, to be visible
    for (const Series& s : chart.series) {
      if ((s.dashed > 0) != dashed) continue;
      std::string path;
      bool pen_down = false;
      const size_t points = std::min(s.x.size(), s.y.size());
      for (size_t i = 0; i < points; ++i) {
        const bool finite = a.finite(s, i);
        if (finite) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", a.x.at(s.x[i]), a.y.at(s.y[i]));
        pen_down = finite;
        if (finite && !dashed && points <= 40) {
          fmt::format_to(std::back_inserter(out), "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" fill=\"{}\"/>\n",
                         a.x.at(s.x[i]), a.y.at(s.y[i]), colors[static_cast<size_t>(s.color) % std::size(colors)]);
        }
      }
      if (!path.empty())
        fmt::format_to(std::back_inserter(out), "<path d=\"{}\" class=\"line\" {}/>\n", path, stroke(s));
    }
  }
}

// A square with a field for each number: blue above 0, orange below, stronger for larger numbers, with the number if
// there is room.
void heat_map(std::string& out, const std::vector<std::vector<double>>& cells, double x0, double y0, double side) {
  double largest = 1e-300;
  size_t columns = 1;
  for (const auto& row : cells) {
    columns = std::max(columns, row.size());
    for (double v : row) largest = std::max(largest, std::abs(v));
  }
  const double cell = side / static_cast<double>(std::max(columns, cells.size()));
  for (size_t i = 0; i < cells.size(); ++i)
    for (size_t j = 0; j < cells[i].size(); ++j) {
      const double v = cells[i][j], x = x0 + cell * static_cast<double>(j), y = y0 + cell * static_cast<double>(i);
      fmt::format_to(std::back_inserter(out),
                     "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
                     "fill-opacity=\"{:.2f}\" class=\"cell\"/>\n",
                     x, y, cell, cell, colors[v < 0], 0.7 * std::abs(v) / largest);
      if (cell >= 32)
        text(out, x + cell / 2, y + cell / 2 + 4, "middle", "label", v == 0 ? "0" : fmt::format("{:.2f}", v));
    }
}

void draw(std::string& out, const Chart& chart, double x0, double y0) {
  const double x_left = x0 + left, x_right = x0 + chart_width - right, y_top = y0 + top,
               y_bottom = y0 + chart_height - bottom;
  const Axes a = axes_of(chart, x_left, x_right, y_top, y_bottom, 8);
  if (chart.cells.empty())
    grid_lines(out, a, 4, 18);
  else
    heat_map(out, chart.cells, x_left, y_top, y_bottom - y_top);
  text(out, (x_left + x_right) / 2, y_bottom + 37, "middle", "label", chart.x_label);
  text(out, x0 + 12, y_top - 13, "start", "label", chart.y_label);
  text(out, (x_left + x_right) / 2, y0 + 18, "middle", "heading", chart.title);
  lines(out, chart, a);
}

// Places names beside their lines.
struct Box {
  double x, y, width, height;
  bool overlaps(const Box& b) const {
    return x < b.x + b.width && b.x < x + width && y < b.y + b.height && b.y < y + height;
  }
  bool holds(double px, double py) const { return px > x && px < x + width && py > y && py < y + height; }
};

// Wraps a name into lines of at most `most` letters.
std::vector<std::string> wrapped(const std::string& name, size_t most) {
  std::vector<std::string> all{""};
  size_t letters = 0, begin = 0;
  while (begin < name.size()) {
    const size_t end = std::min(name.find(' ', begin), name.size());
    const std::string word = name.substr(begin, end - begin);
    const auto length =
        static_cast<size_t>(std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    if (letters && letters + 1 + length > most) all.emplace_back(), letters = 0;
    all.back() += (letters ? " " : "") + word;
    letters += length + (letters > 0);
    begin = end + 1;
  }
  return all;
}

// Points of a curve, one every few pixels.
std::vector<std::pair<double, double>> along(const Series& s, const Axes& a) {
  std::vector<std::pair<double, double>> points;
  const size_t count = std::min(s.x.size(), s.y.size());
  for (size_t i = 0; i < count; ++i) {
    if (!a.finite(s, i)) continue;
    const double x = a.x.at(s.x[i]), y = a.y.at(s.y[i]);
    if (i > 0 && a.finite(s, i - 1)) {
      const double bx = a.x.at(s.x[i - 1]), by = a.y.at(s.y[i - 1]);
      const int pieces = static_cast<int>(std::hypot(x - bx, y - by) / 3);
      for (int k = 1; k < pieces; ++k) points.emplace_back(bx + (x - bx) * k / pieces, by + (y - by) * k / pieces);
    }
    points.emplace_back(x, y);
  }
  return points;
}

// Puts every name above or below its line, where it covers the least of all lines and no other name; near the line and
// on the right if possible.
void names_at_lines(std::string& out, const Chart& chart, const Axes& a) {
  constexpr double key = 22, letter = 6.8, row = 15;
  std::vector<std::vector<std::pair<double, double>>> curves;
  for (const Series& s : chart.series) curves.push_back(along(s, a));
  std::vector<Box> taken;
  for (size_t k = 0; k < curves.size(); ++k) {
    if (curves[k].empty()) continue;
    const std::vector<std::string> name = wrapped(chart.series[k].name, 30);
    size_t letters = 0;
    for (const std::string& part : name) letters = std::max(letters, part.size());
    const double width = key + letter * static_cast<double>(letters), height = row * static_cast<double>(name.size());
    Box best{};
    double least = INFINITY;
    for (size_t i = 0; i < curves[k].size(); i += 3) {
      const auto [px, py] = curves[k][i];
      for (int side = 0; side < 6; ++side) {
        const double away = 4 + row * static_cast<double>(side / 2), y = side % 2 ? py + away : py - height - away;
        const Box box{std::clamp(px - width / 2, a.x.from + 2, std::max(a.x.from + 2, a.x.to - width - 2)), y, width,
                      height};
        if (box.y < a.y.to - 2 || box.y + box.height > a.y.from + 2) continue;
        double cost = (a.x.to - px) / 60 + side / 2;
        for (const auto& curve : curves)
          for (const auto& [x, at] : curve) cost += box.holds(x, at);
        for (const Box& t : taken) cost += t.overlaps(box) ? 1000 : 0;
        if (cost < least) least = cost, best = box;
      }
    }
    taken.push_back(best);
    fmt::format_to(std::back_inserter(out), "<path d=\"M{:.1f} {:.1f}h18\" class=\"line\" {}/>\n", best.x, best.y + 8,
                   stroke(chart.series[k]));
    for (size_t i = 0; i < name.size(); ++i)
      text(out, best.x + key, best.y + 12 + row * static_cast<double>(i), "start", "label", name[i]);
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

const char* const chart_style =
    ".chart{width:340px;max-width:100%;margin:0}.chart p{font:12.5px/1.35 system-ui,'Helvetica Neue',Arial,sans-serif;"
    "margin:0;color:var(--soft)}.chart .title{font-size:14px;font-weight:600;color:var(--ink)}"
    ".chart .x{text-align:center}.chart svg{display:block;max-width:100%;height:auto}"
    ".chart text{font:12px system-ui,'Helvetica Neue',Arial,sans-serif;fill:var(--ink)}"
    ".chart .label{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}"
    ".chart .tick{fill:var(--soft)}.chart .grid{stroke:var(--line)}.chart .axis{stroke:var(--soft)}"
    ".chart .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.chart .cell{stroke:var(--line)}"
    ".chart [stroke=\"#000000\"]{stroke:var(--ink)}.chart [fill=\"#000000\"]{fill:var(--ink)}"
    ".chart [stroke=\"#606060\"]{stroke:var(--soft)}.chart [fill=\"#606060\"]{fill:var(--soft)}\n";

std::string html_chart(const Chart& chart) {
  constexpr double width = 340, height = 270, heat = 300;
  const bool map = !chart.cells.empty();
  const double tall = map ? heat + 12 : height;
  std::string out = fmt::format(
      "<div class=\"chart\"><p class=\"title\">{0}</p>{1}<svg viewBox=\"0 0 {2:.0f} {3:.0f}\" width=\"{2:.0f}\" "
      "height=\"{3:.0f}\" role=\"img\" aria-label=\"{0}: {4}. The numbers are in the table below.\">\n",
      markup_text(chart.title), map ? "" : "<p>" + markup_text(chart.y_label) + "</p>", width, tall,
      markup_text(map ? "a field of numbers" : chart.y_label + " against " + chart.x_label));
  if (map) {
    heat_map(out, chart.cells, 20, 6, heat);
  } else {
    const Axes a = axes_of(chart, 52, width - 16, 8, height - 24, 5);
    grid_lines(out, a, 4, 17);
    lines(out, chart, a);
    names_at_lines(out, chart, a);
  }
  return out + "</svg><p class=\"x\">" + markup_text(chart.x_label) + "</p></div>\n";
}

std::string html_numbers(const Chart& chart, size_t most) {
  const auto cell = [](double v) { return std::isfinite(v) ? fmt::format("{:.4g}", v) : "–"; };
  std::string out = fmt::format("<table class=\"numbers\"><caption>{}</caption><thead><tr>", markup_text(chart.title));
  if (!chart.cells.empty()) {
    out += "<th scope=\"col\">row";
    for (size_t j = 0; j < chart.cells[0].size(); ++j) out += fmt::format("<th scope=\"col\">{}", j + 1);
    out += "</tr></thead><tbody>\n";
    for (size_t i = 0; i < chart.cells.size(); ++i) {
      out += fmt::format("<tr><th scope=\"row\">{}", i + 1);
      for (double v : chart.cells[i]) out += "<td>" + cell(v);
      out += "</tr>\n";
    }
    return out + "</tbody></table>\n";
  }
  out += "<th scope=\"col\">" + markup_text(chart.x_label);
  std::vector<double> places;
  for (const Series& s : chart.series) {
    out += "<th scope=\"col\">" + markup_text(s.name);
    places.insert(places.end(), s.x.begin(), s.x.end());
  }
  out += "</tr></thead><tbody>\n";
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  const size_t every = 1 + (std::max<size_t>(places.size(), 1) - 1) / most;
  for (size_t i = 0; i < places.size(); ++i) {
    if (i % every && i + 1 != places.size()) continue;
    out += "<tr><th scope=\"row\">" + cell(places[i]);
    for (const Series& s : chart.series) {
      const auto at = static_cast<size_t>(std::find(s.x.begin(), s.x.end(), places[i]) - s.x.begin());
      out += "<td>" + (at < s.y.size() ? cell(s.y[at]) : "");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table>\n";
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
  // A column of the legend fits the longest name, at about 6.5 pixels a letter.
  const size_t columns = series.size() > 8 ? 3 : 2, letters = columns == 3 ? 36 : 58,
               rows = (series.size() + columns - 1) / columns;
  const double head = head_of(title), width = 2 * chart_width,
               charts_end = head + chart_height * std::ceil(static_cast<double>(charts.size()) / 2);
  std::string out = picture(title, width, charts_end + legend_row * static_cast<double>(rows) + 8);
  for (size_t i = 0; i < charts.size(); ++i)
    draw(out, charts[i], chart_width * static_cast<double>(i % 2), head + chart_height * static_cast<double>(i / 2));
  for (size_t i = 0; i < series.size(); ++i)  // column by column
    legend_entry(out, series[i], left + (width - left) / static_cast<double>(columns) * static_cast<double>(i / rows),
                 charts_end + 12 + legend_row * static_cast<double>(i % rows), shortened(series[i].name, letters));
  return out + "</svg>\n";
}

}  // namespace evenkeel
