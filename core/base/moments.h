// Mean and variance of each channel, which can be merged over two sets of rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel {

// Mean and sum of squared deviations of each channel over `count` rows. Kept in double: in float, a mean of 1e4
// standard deviations has an error of up to 5e-4 standard deviations.
struct Moments {
  explicit Moments(int64_t channels = 0)
      : mean(static_cast<size_t>(channels)), squares(static_cast<size_t>(channels)) {}
  void merge(const Moments& other);  // adds other rows of the same channels
  // As numbers in a row, to send them: count, mean, squares.
  std::vector<double> flat() const;
  static Moments from_flat(const double* numbers, int64_t channels);

  double count = 0;
  std::vector<double> mean, squares;
};

Moments merged(std::vector<Moments> parts);  // in order; there is at least one

}  // namespace evenkeel
