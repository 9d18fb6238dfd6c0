// The kernels of all norms see rows x channels and make two passes: sums over rows, then y or dx as an affine function
// of its inputs, channel by channel. Batch norm sums over a whole batch, group norm over one example and the channels
// of a group: the same code.
#pragma once
#include <cmath>
#include <vector>

#include "core/base/moments.h"
#include "core/kernels/rows.h"

namespace evenkeel {

// The moments of each channel of x (rows, channels), in two passes, on the calling thread.
Moments moments_of_rows(const real* x, int64_t rows, int64_t channels);

// y = (x - centre) scale + shift per channel, for the mean and variance of every group of neighbouring channels (in
// batch norm a group is a channel). The mean is a double: `centre` is its rounding, and what is left goes into the
// shift, so that x = mean + 1e-5 mean keeps its digits and a constant channel gives beta exactly.
struct Affine {
  Affine(const std::vector<double>& mean, const std::vector<double>& var, double eps, int64_t channels,
         const real* gamma, const real* beta)
      : channels(channels),
        each(channels / static_cast<int64_t>(mean.size())),
        rstd(mean.size()),
        below(mean.size()),
        centre(channels),
        scale(channels),
        shift(channels) {
    for (size_t g = 0; g < mean.size(); ++g) {
      const real rounded = static_cast<real>(mean[g]);
      rstd[g] = 1 / std::sqrt(var[g] + eps);
      below[g] = mean[g] - rounded;
      const int64_t first = static_cast<int64_t>(g) * each;
      const double r = rstd[g], b = below[g];
      for (int64_t c = first; c < first + each; ++c) {
        centre.data()[c] = rounded;
        scale.data()[c] = static_cast<real>(gamma[c] * r);
        shift.data()[c] = static_cast<real>(beta[c] - b * r * gamma[c]);
      }
    }
    for (Lanes* lanes : {&centre, &scale, &shift}) lanes->repeat();
  }
  int64_t channels, each;           // channels of a group
  std::vector<double> rstd, below;  // of a group; below = mean - centre
  Lanes centre, scale, shift;
};

// y = after(affine(x) + add) over the elements [begin, end); `add` may be null.
void normalize_rows(const Affine& a, const real* x, const real* add, After after, bool streamed, real* y, int64_t begin,
                    int64_t end);

// Sums over rows, per channel, that the gradients need.
struct GradientSums {
  explicit GradientSums(int64_t channels) : g(static_cast<size_t>(channels)), gx(static_cast<size_t>(channels)) {}
  std::vector<double> g, gx;  // sum of g; sum of g xhat
  void operator+=(const GradientSums& other) {
    for (size_t c = 0; c < g.size(); ++c) {
      g[c] += other.g[c];
      gx[c] += other.gx[c];
    }
  }
};

// The pullback of g through the addition and the activation that follow the affine function.
struct Pull {
  After after = After::nothing;
  const real* add = nullptr;  // as in normalize_rows
  const real* y = nullptr;    // the result; of a relu after an addition
  // Receives the g that is pulled back through a gelu, or through a relu after an addition; otherwise null. The
  // pullback of a relu alone is cheap: both passes compute it from affine(x).
  real* to = nullptr;
};

// The sums over the elements [begin, end), of the pulled g.
GradientSums gradient_sums(const Affine& a, const real* x, const real* g, const Pull& pull, int64_t begin, int64_t end);

// dx = rstd (gamma g - a / m - xhat b / m) = scale g + slope (x - centre) + offset, where a and b are the sums of gamma
// g and gamma g xhat over the m = rows * each values of a group; scale g alone where the statistics are constants.
struct NormGradient {
  NormGradient(const Affine& affine, const real* gamma, const GradientSums& sums, double rows, bool constant_statistics)
      : affine(affine), constant_statistics(constant_statistics), slope(affine.channels), offset(affine.channels) {
    const double count = rows * static_cast<double>(affine.each);
    for (size_t g = 0; g < affine.rstd.size(); ++g) {
      const int64_t first = static_cast<int64_t>(g) * affine.each;
      double a = 0, b = 0;
      for (int64_t c = first; c < first + affine.each; ++c) {
        a += gamma[c] * sums.g[c];
        b += gamma[c] * sums.gx[c];
      }
      const double r = affine.rstd[g], s = -r * r * b / count;
      std::fill_n(slope.data() + first, affine.each, static_cast<real>(s));
      std::fill_n(offset.data() + first, affine.each, static_cast<real>(-r * a / count - affine.below[g] * s));
    }
    slope.repeat();
    offset.repeat();
  }
  const Affine& affine;
  const bool constant_statistics;
  Lanes slope, offset;
};

// dx over the elements [begin, end). g is already pulled back; if `relu`, it is pulled back here, from affine(x). dx
// may alias g.
void normalize_rows_backward(const NormGradient& gradient, const real* x, const real* g, bool relu, bool streamed,
                             real* dx, int64_t begin, int64_t end);

// The same for a whole batch, over the threads.
void normalize_batch(const Affine& a, int64_t rows, const real* x, const real* add, After after, real* y);
GradientSums batch_gradient_sums(const Affine& a, int64_t rows, const real* x, const real* g, const Pull& pull);
void normalize_batch_backward(const NormGradient& gradient, int64_t rows, const real* x, const real* g, bool relu,
                              real* dx);

}  // namespace evenkeel
