// Mean and variance of each channel, and how those of two sets of rows become those of both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel {

// Mean and sum of squared deviations of each channel over `count` rows: what every norm is made of. In double, as a mean that
// is rounded to float lacks a part of up to 5e-4 deviations where it is 1e4 of them.
struct Moments {
  explicit Moments(int64_t channels = 0) : mean(static_cast<size_t>(channels)), squares(static_cast<size_t>(channels)) {}
  void merge(const Moments& other);  // other rows of the same channels

  double count = 0;
  std::vector<double> mean, squares;
};

}  // namespace evenkeel
