// The moments of the rows of a result, gathered by the kernel that writes it, so that a batch norm need not read them
// again.
#pragma once
#include <vector>

#include "core/base/moments.h"
#include "core/kernels/simd.h"

namespace evenkeel {

// Sums of the deviations from a pivot and of their squares, in one pass. The pivot is the mean of the first rows, which
// is near the values, so that the subtraction in result() cancels few digits. `channels` is a multiple of `lanes`.
class RowMoments {
 public:
  explicit RowMoments(int64_t channels)
      : channels_(channels),
        pivot_(static_cast<size_t>(channels)),
        sums_(static_cast<size_t>(channels)),
        squares_(static_cast<size_t>(channels)) {}

  // Adds n rows, `stride` numbers apart; sums of at most some dozens are exact enough in `real`.
  void add(const real* rows, int64_t n, int64_t stride) {
    if (count_ == 0) set_pivot(rows, n, stride);
    count_ += static_cast<double>(n);
    for (int64_t c = 0; c < channels_; c += lanes) {
      const Vec pivot = vec(pivot_.data() + c);
      Vec sum{}, squares{};
      for (int64_t i = 0; i < n; ++i) {
        const Vec d = Vec(vec(rows + i * stride + c)) - pivot;
        sum += d;
        squares += d * d;
      }
      add_sums(c, sum, squares);
    }
  }

  // The same for a kernel that has the Vecs in registers. Call begin_rows(n), then at(c) for each Vec of channels, from
  // c on: the object is called with that Vec of each row, and returns it unchanged. Needs has_pivot().
  bool has_pivot() const { return count_ > 0; }
  void begin_rows(int64_t n) { count_ += static_cast<double>(n); }
  class Channels {
   public:
    Channels(RowMoments& all, int64_t c) : all_(all), c_(c), pivot_(vec(all.pivot_.data() + c)) {}
    ~Channels() { all_.add_sums(c_, sum_, squares_); }
    Channels(const Channels&) = delete;
    Channels& operator=(const Channels&) = delete;
    Vec operator()(Vec v, const real*) {
      const Vec d = v - pivot_;
      sum_ += d;
      squares_ += d * d;
      return v;
    }

   private:
    RowMoments& all_;
    const int64_t c_;
    const Vec pivot_;
    Vec sum_{}, squares_{};
  };
  Channels at(int64_t c) { return {*this, c}; }

  Moments result() const {
    Moments m(channels_);
    m.count = count_;
    for (size_t c = 0; c < sums_.size(); ++c) {
      const double shift = count_ > 0 ? sums_[c] / count_ : 0;
      m.mean[c] = pivot_[c] + shift;
      m.squares[c] = squares_[c] - sums_[c] * shift;
    }
    return m;
  }

 private:
  void set_pivot(const real* rows, int64_t n, int64_t stride) {
    for (int64_t c = 0; c < channels_; c += lanes) {
      Vec sum{};
      for (int64_t i = 0; i < n; ++i) sum += Vec(vec(rows + i * stride + c));
      vec(pivot_.data() + c) = sum / static_cast<real>(n);
    }
  }
  void add_sums(int64_t c, Vec sum, Vec squares) {
#pragma omp simd
    for (int j = 0; j < lanes; ++j) {
      sums_[static_cast<size_t>(c + j)] += static_cast<double>(sum[j]);
      squares_[static_cast<size_t>(c + j)] += static_cast<double>(squares[j]);
    }
  }

  int64_t channels_;
  double count_ = 0;
  std::vector<real> pivot_;
  std::vector<double> sums_, squares_;
};

}  // namespace evenkeel
