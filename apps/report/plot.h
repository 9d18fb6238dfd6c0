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
};

// The charts side by side, each with its axes and legend, under one title.
std::string svg_picture(const std::string& title, const std::vector<Chart>& charts);

// The charts in rows of two, over one legend: all of them have series of the same names, colours and dashes.
std::string svg_rows(const std::string& title, const std::vector<Chart>& charts);

// How many series are told apart by their colours and dashes.
constexpr int most_styles = 8 * 4;

// Round numbers, at most about `count` of them and at least `least_step` apart, that span [low, high] from within.
std::vector<double> axis_ticks(double low, double high, int count, double least_step = 0);

}  // namespace evenkeel
