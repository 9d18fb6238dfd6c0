// Prefetch from memory, while the processor computes something else.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/scalar.h"

namespace evenkeel {

constexpr int64_t cache_line = 64 / static_cast<int64_t>(sizeof(real));

// Prefetches the number `at` numbers after `from`. It need not exist, so its address is computed as an integer.
template <int write = 0, int locality = 3>
void prefetch(const real* from, int64_t at) {
  const auto bytes = static_cast<uintptr_t>(at) * sizeof(real);
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + bytes), write, locality);
}

// Prefetches `numbers` numbers at `from` into the L2 cache, in `parts` parts: one part for each call of next().
class Prefetch {
 public:
  Prefetch() = default;
  Prefetch(const real* from, int64_t numbers, int64_t parts)
      : from_(from), numbers_(numbers), part_(numbers / std::max<int64_t>(1, parts) + 1) {}
  void next() {
    for (const int64_t stop = std::min(numbers_, at_ + part_); at_ < stop; at_ += cache_line)
      prefetch<0, 2>(from_, at_);
  }

 private:
  const real* from_ = nullptr;
  int64_t numbers_ = 0, part_ = 0, at_ = 0;
};

// For loops over large tensors: prefetches `count` numbers, `later` numbers before the loop reads them. The hardware
// prefetchers stop at each page, and fetch too few lines at a time.
inline void prefetch_later(const real* now, int64_t count) {
  constexpr int64_t later = 512;
  for (int64_t i = 0; i < count; i += cache_line) prefetch<0, 2>(now, later + i);
}

}  // namespace evenkeel
