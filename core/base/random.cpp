// Built without fused multiply-add (see CMakeLists.txt) and without libm's log, so that every platform draws the same
// bits.
#include "core/base/random.h"

#include <cmath>
#include <numeric>

namespace evenkeel {
namespace {

// log(x) for x in (0, 1], from + - * / alone: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m-1)/(m+1)).
double portable_log(double x) {
  int e;
  double m = std::frexp(x, &e);
  if (m < 0.70710678118654752440) m *= 2, --e;
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double series = 0;
  for (int k = 23; k >= 1; k -= 2) series = series * z2 + 1.0 / k;
  return 2 * z * series + e * 0.69314718055994530942;
}

}  // namespace

uint64_t Random::below(uint64_t n) {
  const uint64_t limit = n * (UINT64_MAX / n);  // the largest multiple of n: numbers above it would favour small values
  uint64_t b = bits();
  while (b >= limit) b = bits();
  return b % n;
}

double Random::normal() {
  // The method's second value is discarded, so that the state is two words.
  double u, v, s;
  do {
    u = 2 * uniform() - 1;
    v = 2 * uniform() - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  return u * std::sqrt(-2 * portable_log(s) / s);
}

std::vector<int64_t> Random::permutation(int64_t n) {
  std::vector<int64_t> p(static_cast<size_t>(n));
  std::iota(p.begin(), p.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[below(static_cast<uint64_t>(i) + 1)]);  // Fisher-Yates
  return p;
}

}  // namespace evenkeel
