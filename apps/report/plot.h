// Line charts as SVG: self-contained text, readable on paper and on a screen.
#pragma once
#include <string>
#include <vector>

namespace evenkeel {

struct Series {
  std::string name;
  std::vector<double> x, y;  // a point that is not finite interrupts the line
  int color = 0;             // of eight that are told apart by the colour-blind too
  int dashed = 0;            // 0: drawn through; 1 to 3: dashes that are told apart
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool log_x = false, log_y = false;            // axes with decades; what is not above 0 interrupts a line
  std::vector<std::vector<double>> cells = {};  // a heat map in the place of lines: its rows from the top
};

// The charts side by side, each with its axes and legend, under one title.
std::string svg_picture(const std::string& title, const std::vector<Chart>& charts);

// The charts in rows of two, over one legend: all of them have series of the same names, colours and dashes.
std::string svg_rows(const std::string& title, const std::vector<Chart>& charts);

// One chart for a page of HTML, 340 pixels wide so that a telephone shows it as it is: the names stand at their lines,
// its title and what its axes are stand around it as text that wraps. chart_style is the CSS for all of them; it takes
// the page's --ink, --soft, --line and --paper.
std::string html_chart(const Chart& chart);
extern const char* const chart_style;
// Its numbers as rows of a table, of at most about `most` places on the x axis.
std::string html_numbers(const Chart& chart, size_t most = 25);

// How many series are told apart by their colours and dashes.
constexpr int most_styles = 8 * 4;

// Round numbers, at most about `count` of them and at least `least_step` apart, that span [low, high] from within.
std::vector<double> axis_ticks(double low, double high, int count, double least_step = 0);

}  // namespace evenkeel
