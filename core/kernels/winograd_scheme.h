// Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2016), channels last.
//
// n = r + m - 1 neighbouring inputs d and r taps w make m outputs. Let E_k be the n x k matrix that takes the k
// coefficients of a polynomial to its values at the points 0, p, -p for each p of a few pairs, and infinity (there: its
// leading coefficient). Let M(x) = x (x^2 - p^2) (x^2 - q^2) ... be zero at all points but the last. Then
//   y = E_m^T (N E_r w . B^T d),
// where . is the elementwise product. B^T has a row for each point: the coefficients of M(x) / (x - point), and those
// of M(x) for infinity. N is diagonal, 1 / M'(point) for each point, and 1 for infinity. In two dimensions every matrix
// acts on columns and then on rows, and n^2 products take the place of (m r)^2: with m = 4, 36 of 144 for 3x3, 64 of
// 400 for 5x5; with m = 2, 16 of 36. With the sum over channels, each of the n^2 products is a matrix product, (tiles,
// channels in) times (channels in, channels out). The data gradient is the convolution with the rotated filter; the
// weight gradient is the adjoint of the above in w: (N E_r)^T (B^T d . E_m g), summed over tiles.
//
// For 3x3 and m = 4 the points are p = sqrt(1/2) and q = sqrt(2); the usual 1 and 2 have twice the mean error and four
// times the largest error. For 5x5 and m = 4 they are 1/2, 1 and 2; for 3x3 and m = 2 p = 1.
#pragma once
#include "core/kernels/simd.h"

namespace evenkeel::winograd {

// The points for r taps and m outputs, and the constants that follow from them.
template <int r, int m>
struct Scheme {
  static constexpr int taps = r, outputs = m, points = r + m - 1, products = points * points, pairs = points / 2 - 1;

  double point[pairs];
  real power[pairs][points];  // point^i
  real all[pairs + 1];        // of prod (x^2 - p^2): the coefficients of x^(2i)
  real others[pairs][pairs];  // the same without one pair
  real scale[points];         // N

  constexpr Scheme() : point(), power(), all(), others(), scale() {
    const double sqrt2 = 1.41421356237309504880, of_pairs[][3] = {{1}, {1 / sqrt2, sqrt2}, {0.5, 1, 2}};
    for (int k = 0; k < pairs; ++k) point[k] = of_pairs[pairs - 1][k];
    for (int k = 0; k < pairs; ++k) {
      double value = 1;
      for (int i = 0; i < points; ++i, value *= point[k]) power[k][i] = static_cast<real>(value);
    }
    double product[pairs + 1] = {1};
    for (int k = 0; k < pairs; ++k) multiply(product, k);
    for (int i = 0; i <= pairs; ++i) all[i] = static_cast<real>(product[i]);
    scale[0] = static_cast<real>(1 / product[0]);
    scale[points - 1] = 1;
    for (int k = 0; k < pairs; ++k) {
      double rest[pairs + 1] = {1}, value = 0, square = 1;
      for (int j = 0; j < pairs; ++j)
        if (j != k) multiply(rest, j);
      for (int i = 0; i < pairs; ++i, square *= point[k] * point[k]) {
        others[k][i] = static_cast<real>(rest[i]);
        value += rest[i] * square;
      }
      scale[2 * k + 1] = scale[2 * k + 2] = static_cast<real>(1 / (2 * point[k] * point[k] * value));
    }
  }
  constexpr void multiply(double (&polynomial)[pairs + 1], int k) const {  // by x^2 - point^2
    for (int i = pairs; i >= 0; --i)
      polynomial[i] = (i > 0 ? polynomial[i - 1] : 0) - point[k] * point[k] * polynomial[i];
  }
};

template <class S>
constexpr S scheme;

// The transforms of one line, from `from` to `to` numbers.
template <class S, int n>
struct Evaluate {  // E_n
  static constexpr int from = n, to = S::points;
  static void line(const Vec* in, Vec* out) {
    out[0] = in[0];
    out[to - 1] = in[n - 1];
    for (int k = 0; k < S::pairs; ++k) {
      Vec even = in[0], odd = scheme<S>.power[k][1] * in[1];
      for (int i = 2; i < n; ++i) (i % 2 ? odd : even) += scheme<S>.power[k][i] * in[i];
      out[2 * k + 1] = even + odd;
      out[2 * k + 2] = even - odd;
    }
  }
};

template <class S, int n>
struct EvaluateTransposed {  // E_n^T
  static constexpr int from = S::points, to = n;
  static void line(const Vec* in, Vec* out) {
    for (int i = 0; i < n; ++i) out[i] = Vec{};
    for (int k = 0; k < S::pairs; ++k) {
      const Vec even = in[2 * k + 1] + in[2 * k + 2], odd = in[2 * k + 1] - in[2 * k + 2];
      for (int i = 0; i < n; ++i) out[i] += scheme<S>.power[k][i] * (i % 2 ? odd : even);
    }
    out[0] += in[0];
    out[n - 1] += in[from - 1];
  }
};

template <class S>
struct Filter : Evaluate<S, S::taps> {  // N E_r
  static void line(const Vec* in, Vec* out) {
    Evaluate<S, S::taps>::line(in, out);
    for (int i = 0; i < S::points; ++i) out[i] *= scheme<S>.scale[i];
  }
};

template <class S>
struct FilterTransposed : EvaluateTransposed<S, S::taps> {  // (N E_r)^T
  static void line(const Vec* in, Vec* out) {
    Vec scaled[S::points];
    for (int i = 0; i < S::points; ++i) scaled[i] = scheme<S>.scale[i] * in[i];
    EvaluateTransposed<S, S::taps>::line(scaled, out);
  }
};

template <class S>
struct Input {  // B^T
  static constexpr int from = S::points, to = S::points;
  static void line(const Vec* d, Vec* out) {
    constexpr int pairs = S::pairs;
    out[0] = d[2 * pairs];
    out[to - 1] = d[2 * pairs + 1];
    for (int i = 0; i < pairs; ++i) {
      out[0] += scheme<S>.all[i] * d[2 * i];
      out[to - 1] += scheme<S>.all[i] * d[2 * i + 1];
    }
    for (int k = 0; k < pairs; ++k) {
      Vec even = d[2 * pairs], odd = d[2 * pairs - 1];
      for (int i = 0; i + 1 < pairs; ++i) {
        even += scheme<S>.others[k][i] * d[2 * i + 2];
        odd += scheme<S>.others[k][i] * d[2 * i + 1];
      }
      odd *= scheme<S>.power[k][1];
      out[2 * k + 1] = even + odd;
      out[2 * k + 2] = even - odd;
    }
  }
};

}  // namespace evenkeel::winograd
