// The axes of a chart: ranges, ticks and their labels, and the pixel of a value.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "apps/report/plot.h"

namespace evenkeel {

// The range of the finite values.
struct AxisRange {
  double low = INFINITY, high = -INFINITY;
  void include(double v);
  void widen(double share);  // by this part on either side; an empty range too
};

struct Tick {
  double value;
  std::string label;  // "" between decades
};

// The range of an axis's values, or of their logarithms, on the pixels between two ends.
struct Axis {
  bool log;
  AxisRange range;
  double from, to;
  std::vector<Tick> ticks = {};
  double place(double v) const { return !log ? v : v > 0 ? std::log10(v) : NAN; }
  double at(double v) const { return from + (place(v) - range.low) / (range.high - range.low) * (to - from); }
};

struct Axes {
  Axis x, y;
  bool finite(const Series& s, size_t i) const {
    return std::isfinite(x.place(s.x[i])) && std::isfinite(y.place(s.y[i]));
  }
};

// The axes of a chart whose plotting area has these edges; `x_count`: about the number of ticks that fit.
Axes axes_of(const Chart& chart, double x_left, double x_right, double y_top, double y_bottom, int x_count);

// Round numbers inside [low, high]: at most about `count`, at least `least_step` apart.
std::vector<double> axis_ticks(double low, double high, int count, double least_step = 0);

}  // namespace evenkeel
