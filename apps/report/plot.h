// Line charts as SVG: self-contained text, readable on paper and on a screen.
#pragma once
#include <string>
#include <vector>

namespace evenkeel {

struct Series {
  std::string name;
  std::vector<double> x, y;  // a point that is not finite interrupts the line
  int color = 0;             // one of eight that colour-blind readers can distinguish
  int dashed = 0;            // 0: solid; 1 to 3: different dashes
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool log_x = false, log_y = false;            // logarithmic axes; values that are not above 0 interrupt a line
  std::vector<std::vector<double>> cells = {};  // a heat map instead of lines: its rows from the top
};

// The charts side by side, each with its axes and legend, under one title.
std::string svg_picture(const std::string& title, const std::vector<Chart>& charts);

// The charts in rows of two, with one legend: all have series of the same names, colours and dashes.
std::string svg_rows(const std::string& title, const std::vector<Chart>& charts);

// One chart for an HTML page, 340 pixels wide to fit a telephone: names are beside their lines; the title and the axes'
// labels are text that wraps. chart_style is the CSS for all charts; it uses the page's --ink, --soft, --line and
// --paper.
std::string html_chart(const Chart& chart);
extern const char* const chart_style;
// The chart's numbers as table rows, for at most about `most` values of x.
std::string html_numbers(const Chart& chart, size_t most = 25);

// The number of series that colours and dashes can distinguish.
constexpr int most_styles = 8 * 4;

}  // namespace evenkeel
