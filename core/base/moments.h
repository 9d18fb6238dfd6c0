// Mean and variance of each channel, and how to merge those of two sets of rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel {

// Mean and sum of squared deviations of each channel over `count` rows. Kept in double: a mean of 1e4 standard
// deviations, rounded to float, is wrong by up to 5e-4 of one.
struct Moments {
  explicit Moments(int64_t channels = 0)
      : mean(static_cast<size_t>(channels)), squares(static_cast<size_t>(channels)) {}
  void merge(const Moments& other);  // other rows of the same channels

  double count = 0;
  std::vector<double> mean, squares;
};

}  // namespace evenkeel
