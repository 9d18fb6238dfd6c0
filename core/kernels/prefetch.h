// Prefetch from memory, while the processor computes something else.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/scalar.h"

namespace evenkeel {

constexpr int64_t cache_line = 64 / static_cast<int64_t>(sizeof(real));

// Asks for the number `at` numbers after `from`. It need not exist: a pointer to it is never computed with.
template <int write = 0, int locality = 3>
void prefetch(const real* from, int64_t at) {
  const auto bytes = static_cast<uintptr_t>(at) * sizeof(real);
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + bytes), write, locality);
}

// Asks the L2 cache for `numbers` numbers at `from`, in `parts` parts: each call of next() asks for one.
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

// For loops over large tensors: asks for the `count` numbers that such a loop reads a little later. The processor's own
// prefetchers stop at each page, and fetch too few lines at a time.
inline void prefetch_later(const real* now, int64_t count) {
  constexpr int64_t later = 512;
  for (int64_t i = 0; i < count; i += cache_line) prefetch<0, 2>(now, later + i);
}

}  // namespace evenkeel
