#include "core/base/diagonalise.h"

#include <cmath>

namespace evenkeel {

// Each rotation sets one off-diagonal element to 0; a sweep visits each of them once.
std::vector<double> diagonalise(std::vector<double>& a, size_t n) {
  constexpr int most = 60;  // sweeps; convergence is quadratic, so ten suffice in practice
  std::vector<double> vectors(n * n);
  for (size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  const auto rotate = [n](std::vector<double>& m, size_t p, size_t q, size_t along, size_t across, double c, double s) {
    for (size_t k = 0; k < n; ++k) {
      double &x = m[p * across + k * along], &y = m[q * across + k * along];
      const double before = x;
      x = c * before - s * y;
      y = s * before + c * y;
    }
  };
  for (int sweep = 0; sweep < most; ++sweep) {
    double beside = 0, all = 0;
    for (size_t i = 0; i < n * n; ++i) {
      all += a[i] * a[i];
      beside += i / n == i % n ? 0 : a[i] * a[i];
    }
    if (beside <= 1e-30 * all) break;
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double tau = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double t = (tau < 0 ? -1 : 1) / (std::abs(tau) + std::sqrt(1 + tau * tau));
        const double c = 1 / std::sqrt(1 + t * t), s = t * c;
        rotate(a, p, q, 1, n, c, s);
        rotate(a, p, q, n, 1, c, s);
        rotate(vectors, p, q, 1, n, c, s);
      }
    }
  }
  return vectors;
}

}  // namespace evenkeel
