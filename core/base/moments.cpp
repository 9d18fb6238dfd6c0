#include "core/base/moments.h"

#include "core/base/check.h"

namespace evenkeel {

// Chan, Golub and LeVeque 1979: exact, and safe for any mean.
void Moments::merge(const Moments &other) {
  check(mean.size() == other.mean.size(), "moments: {} channels cannot be merged with {}", mean.size(),
        other.mean.size());
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

}  // namespace evenkeel
