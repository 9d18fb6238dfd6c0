// Prefetch from memory into the L2 cache, while the processor computes something else.
#pragma once
#include <algorithm>

#include "core/base/scalar.h"

namespace evenkeel {

// `numbers` numbers at `from`, in `parts` parts: each call of next() asks for one.
class Prefetch {
 public:
  Prefetch() = default;
  Prefetch(const real* from, int64_t numbers, int64_t parts)
      : at_(reinterpret_cast<const char*>(from)),
        end_(reinterpret_cast<const char*>(from + numbers)),
        part_((end_ - at_) / std::max<int64_t>(1, parts) + 1) {}
  void next() {
    for (const char* stop = at_ + std::min(end_ - at_, part_); at_ < stop; at_ += 64) __builtin_prefetch(at_, 0, 2);
  }

 private:
  const char *at_ = nullptr, *end_ = nullptr;
  int64_t part_ = 0;
};

// For loops over large tensors: asks for the `count` numbers that such a loop reads a little later. The processor's own
// prefetchers stop at each page, and fetch too few lines at a time.
inline void prefetch_later(const real* now, int64_t count) {
  constexpr int64_t later = 512, line = 64 / static_cast<int64_t>(sizeof(real));
  for (int64_t i = 0; i < count; i += line) __builtin_prefetch(now + later + i, 0, 2);
}

}  // namespace evenkeel
