// A picture of apps/report/plot.h's, read back from the SVG: curves in the units of their axes, as a reader would take
// them from the ticks.
#pragma once
#include <algorithm>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

namespace svg {

struct Curve {
  std::string name, color, dashes;
  bool dashed = false;
  std::vector<double> x, y;
};

struct Axis {
  std::vector<double> pixels, values;  // of the ticks
  // The value at a pixel, by the outermost ticks.
  double at(double pixel) const {
    return values.front() +
           (pixel - pixels.front()) * (values.back() - values.front()) / (pixels.back() - pixels.front());
  }
  double a_pixel() const { return std::abs((values.back() - values.front()) / (pixels.back() - pixels.front())); }
  // How far a tick's label is from where the others say that it stands, in pixels.
  double worst() const {
    double worst = 0;
    for (size_t i = 0; i < pixels.size(); ++i) worst = std::max(worst, std::abs(at(pixels[i]) - values[i]) / a_pixel());
    return worst;
  }
};

struct Chart {
  double left = 0, right = 0, top = 0, bottom = 0;  // pixels: of the grid's lines, of the axis
  std::string heading, x_label, y_label;
  Axis x, y;
  std::vector<Curve> curves;  // in the legend's order
  std::vector<Curve> dots;    // no name; points of one colour
  const Curve* find(const std::string& name) const {
    for (const Curve& c : curves)
      if (c.name == name) return &c;
    return nullptr;
  }
};

struct Picture {
  double width = 0, height = 0;
  std::string title;
  std::vector<Chart> charts;
  bool inside = true;  // whether every coordinate is within the picture
};

inline std::vector<std::vector<std::string>> all(const std::string& text, const std::string& form) {
  const std::regex pattern(form);
  std::vector<std::vector<std::string>> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    found.emplace_back();
    for (const auto& group : *at) found.back().push_back(group.str());
  }
  return found;
}

// `count` charts side by side; or `rows` such rows below each other, over one legend for all.
inline Picture read(const std::string& text, size_t count, size_t rows = 1, double row_height = 330) {
  Picture p;
  for (const auto& m : all(text, R"re(viewBox="0 0 (\d+) (\d+)" width="(\d+)" height="(\d+)")re"))
    if (m[1] == m[3] && m[2] == m[4]) p.width = std::stod(m[1]), p.height = std::stod(m[2]);
  p.charts.resize(count * rows);
  const double part = p.width / static_cast<double>(count);
  const double head = text.find("class=\"title\"") == std::string::npos ? 8 : 38;
  const auto chart_at = [&](double x, double y) -> Chart& {
    const double row = rows == 1 ? 0 : std::clamp((y - head) / row_height, 0.0, static_cast<double>(rows) - 1);
    return p.charts[static_cast<size_t>(row) * count +
                    static_cast<size_t>(std::clamp(x / part, 0.0, static_cast<double>(count) - 1))];
  };
  const auto see = [&](double x, double y) {
    p.inside = p.inside && x >= 0 && x <= p.width && y >= 0 && y <= p.height;
  };

  struct Text {
    double x, y;
    std::string anchor, kind, content;
  };
  std::vector<Text> texts;
  const std::string number = R"re((-?[\d.]+))re";
  for (const auto& m :
       all(text, "<text x=\"" + number + "\" y=\"" + number + R"re(" text-anchor="(\w+)" class="(\w+)">([^<]*)<)re")) {
    texts.push_back({std::stod(m[1]), std::stod(m[2]), m[3], m[4], m[5]});
    see(texts.back().x, texts.back().y);
  }
  const auto tick_text = [&](const std::string& anchor, double x, double y) {
    for (const Text& t : texts)
      if (t.kind == "tick" && t.anchor == anchor && std::abs(t.x - x) < 0.15 && std::abs(t.y - y) < 0.15)
        return t.content;
    return std::string("nan");
  };
  for (const auto& m : all(text, "<line x1=\"" + number + "\" x2=\"" + number + "\" y1=\"" + number + "\" y2=\"" +
                                     number + "\" class=\"(\\w+)\"")) {
    const double x1 = std::stod(m[1]), x2 = std::stod(m[2]), y1 = std::stod(m[3]), y2 = std::stod(m[4]);
    Chart& c = chart_at((x1 + x2) / 2, y1);
    see(x1, y1), see(x2, y2);
    if (m[5] == "grid") {
      c.left = x1, c.right = x2;
      c.y.pixels.push_back(y1), c.y.values.push_back(std::stod(tick_text("end", x1 - 7, y1 + 4)));
    } else if (x1 == x2) {
      const std::string below = tick_text("middle", x1, y1 + 18);  // 17 on a page
      c.x.pixels.push_back(x1);
      c.x.values.push_back(std::stod(below != "nan" ? below : tick_text("middle", x1, y1 + 17)));
    } else {
      c.bottom = y1;
    }
  }
  for (const Text& t : texts) {
    if (t.kind == "title") p.title = t.content;
    Chart& c = chart_at(t.x, t.y);
    if (t.kind == "heading") c.heading = t.content;
    if (t.kind == "label" && t.anchor == "middle") c.x_label = t.content;
    if (t.kind == "label" && t.anchor == "start" && t.y < c.bottom) c.y_label = t.content;
  }
  // The legend, or a name at its line: a piece of the line, and its name behind it.
  const std::string style = R"re( class="line" stroke="(#\w+)"( stroke-dasharray="[\d. ]+")?/>)re";
  for (const auto& m : all(text, "<path d=\"M" + number + " " + number + "h(26|18)\"" + style)) {
    const double x = std::stod(m[1]), y = std::stod(m[2]), name = x + (m[3] == "26" ? 34 : 22);
    Curve c{.name = "", .color = m[4], .dashes = m[5], .dashed = !m[5].empty(), .x = {}, .y = {}};
    for (const Text& t : texts)
      if (t.kind == "label" && t.anchor == "start" && std::abs(t.x - name) < 0.15 && std::abs(t.y - y - 4) < 0.15)
        c.name = t.content;
    if (rows == 1)
      chart_at(x, y).curves.push_back(c);
    else
      for (Chart& chart : p.charts) chart.curves.push_back(c);
  }
  for (const auto& m : all(text, "<path d=\"(M[^h\"]*)\"" + style)) {
    Curve read{.name = "", .color = m[2], .dashes = m[3], .dashed = !m[3].empty(), .x = {}, .y = {}};
    for (const auto& point : all(m[1], "[ML]" + number + " " + number))
      read.x.push_back(std::stod(point[1])), read.y.push_back(std::stod(point[2]));
    Chart& chart = chart_at(read.x.at(0), read.y.at(0));
    for (Curve& c : chart.curves) {
      if (c.color != read.color || c.dashes != read.dashes || !c.x.empty()) continue;
      for (size_t i = 0; i < read.x.size(); ++i) {
        see(read.x[i], read.y[i]);
        p.inside = p.inside && read.x[i] >= chart.left && read.x[i] <= chart.right && read.y[i] <= chart.bottom;
        c.x.push_back(chart.x.at(read.x[i])), c.y.push_back(chart.y.at(read.y[i]));
      }
      break;
    }
  }
  for (const auto& m : all(text, "<circle cx=\"" + number + "\" cy=\"" + number + R"re(" r="2.4" fill="(#\w+)"/>)re")) {
    Chart& chart = chart_at(std::stod(m[1]), std::stod(m[2]));
    if (chart.dots.empty() || chart.dots.back().color != m[3])
      chart.dots.push_back({.name = "", .color = m[3], .dashes = "", .dashed = false, .x = {}, .y = {}});
    chart.dots.back().x.push_back(chart.x.at(std::stod(m[1]))),
        chart.dots.back().y.push_back(chart.y.at(std::stod(m[2])));
  }
  return p;
}

}  // namespace svg
