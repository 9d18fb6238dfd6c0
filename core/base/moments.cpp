#include "core/base/moments.h"

#include "core/base/check.h"

namespace evenkeel {

// Chan, Golub and LeVeque 1979: exact, and safe for any mean.
void Moments::merge(const Moments &other) {
  check(mean.size() == other.mean.size(), "moments: {} channels cannot be merged with {}", mean.size(),
        other.mean.size());
  if (other.count == 0) return;
  const double all = count + other.count, share = other.count / all, weight = count * share;
  double *m = mean.data(), *s = squares.data();
  const double *om = other.mean.data(), *os = other.squares.data();
  const size_t channels = mean.size();
#pragma omp simd
  for (size_t c = 0; c < channels; ++c) {
    const double shift = om[c] - m[c];
    m[c] += shift * share;
    s[c] += os[c] + shift * shift * weight;
  }
  count = all;
}

Moments merged(std::vector<Moments> parts) {
  Moments all = std::move(parts.at(0));
  for (size_t i = 1; i < parts.size(); ++i) all.merge(parts[i]);
  return all;
}

std::vector<double> Moments::flat() const {
  std::vector<double> numbers{count};
  numbers.insert(numbers.end(), mean.begin(), mean.end());
  numbers.insert(numbers.end(), squares.begin(), squares.end());
  return numbers;
}

Moments Moments::from_flat(const double *numbers, int64_t channels) {
  Moments m;
  m.count = *numbers;
  m.mean.assign(numbers + 1, numbers + 1 + channels);
  m.squares.assign(numbers + 1 + channels, numbers + 1 + 2 * channels);
  return m;
}

}  // namespace evenkeel
