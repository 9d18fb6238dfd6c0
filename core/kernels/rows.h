// Sums over rows, per channel: the loop of normalisations and reductions, as fast for 3 channels as for 512.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

#include "core/base/memory.h"
#include "core/kernels/prefetch.h"

namespace evenkeel {

// Neighbouring rows are taken together until they fill some vector registers: element i of a tensor then belongs to
// lane i % width, and to channel lane % channels.
inline int64_t width_of(int64_t channels) {
  constexpr int64_t enough = 128;
  return channels == 0 ? enough : (enough + channels - 1) / channels * channels;
}

// A value for every lane, aligned. Not a Tensor: not counted in MemoryStats, so peaks do not depend on the number of
// threads.
class Lanes {
 public:
  explicit Lanes(int64_t channels)
      : channels_(channels),
        width_(width_of(channels)),
        data_(new (std::align_val_t{64}) real[static_cast<size_t>(width_)]) {
    poison_if_on(data_.get(), static_cast<size_t>(width_) * sizeof(real));
  }
  int64_t width() const { return width_; }
  const real* data() const { return data_.get(); }
  real* data() { return data_.get(); }
  void fill(real value) { std::fill_n(data(), width_, value); }
  void repeat() {  // copies the first `channels` lanes into all others
    for (int64_t j = channels_; j < width_; ++j) data_[j] = data_[j - channels_];
  }

 private:
  struct Delete {
    void operator()(real* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  int64_t channels_, width_;
  std::unique_ptr<real[], Delete> data_;
};

// f(i, lane) for the elements [begin, end); `begin` starts a row. `inputs`: tensors of which f reads element i.
template <class F, class... Inputs>
void for_elements(int64_t begin, int64_t end, int64_t width, F f, Inputs... inputs) {
  for (int64_t i = begin; i < end; i += width) {
    const int64_t n = std::min(width, end - i);
    (prefetch_later(inputs + i, n), ...);
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) f(i + j, j);
  }
}

// Sums over rows, per channel, of one term or of two. Accumulates in `real` within a short run of rows, in double
// across runs. A run fits into the L1 cache, so it can be read twice.
class Runs {
 public:
  explicit Runs(int64_t channels) : channels_(channels), first_(channels), second_(channels) {}

  int64_t size() const {  // elements: 16 KiB of floats, or 8 rows
    return std::max<int64_t>(8, 4096 / first_.width() / 2 * 2) * first_.width();
  }

  // a[c] += sum of p over the elements [begin, end) of channel c, where f(i, lane, p) adds to p.
  template <class F>
  void add(int64_t begin, int64_t end, double* a, F f) {
    for (int64_t i = begin; i < end; i += size()) {
      real* p = first_.data();
      first_.fill(0);
      for_elements(i, std::min(end, i + size()), first_.width(), [=](int64_t at, int64_t j) { f(at, j, p[j]); });
      fold(p, a);
    }
  }

  // The same for two sums, a of p and b of q, where f(i, lane, p, q) adds to both. `inputs`: as in for_elements.
  template <class F, class... Inputs>
  void add(int64_t begin, int64_t end, double* a, double* b, F f, Inputs... inputs) {
    for (int64_t i = begin; i < end; i += size()) {
      real *p = first_.data(), *q = second_.data();
      first_.fill(0);
      second_.fill(0);
      for_elements(
          i, std::min(end, i + size()), first_.width(), [=](int64_t at, int64_t j) { f(at, j, p[j], q[j]); },
          inputs...);
      fold(p, a);
      fold(q, b);
    }
  }

 private:
  void fold(const real* lanes, double* sums) const {
    if (channels_ == 1) {  // the loop below would be one chain of additions
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t lane = 0; lane < first_.width(); ++lane) sum += lanes[lane];
      *sums += sum;
      return;
    }
    for (int64_t lane = 0; lane < first_.width(); lane += channels_)
#pragma omp simd
      for (int64_t c = 0; c < channels_; ++c) sums[c] += lanes[lane + c];
  }

  int64_t channels_;
  Lanes first_, second_;
};

}  // namespace evenkeel
