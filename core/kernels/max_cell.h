// The largest cell of a pooling window, for a Vec of channels.
#pragma once
#include <limits>
#include <type_traits>

#include "core/kernels/simd.h"

namespace evenkeel {

// The numbers of cells, as wide as the channels; and as they are stored, one byte each.
using Cells [[gnu::vector_size(vec_bytes)]] = std::conditional_t<sizeof(real) == 4, int32_t, int64_t>;
using CellBytes [[gnu::vector_size(lanes), gnu::aligned(1), gnu::may_alias]] = uint8_t;

// The maximum of the cells so far, and the number of the first cell that has it. NaN counts as the largest number; of
// several NaNs the last one counts.
struct MaxCell {
  Vec best = Vec{} - std::numeric_limits<real>::infinity();
  Cells winner{};

  void see(Vec v, int64_t cell) {
    const Cells here = Cells{} + static_cast<std::remove_cvref_t<decltype(winner[0])>>(cell);
    winner = v > best ? here : winner;
    best = v > best ? v : best;
    winner = v == v ? winner : here;
    best = v == v ? best : v;
  }
  Cells is_nan() const { return best != best; }
  CellBytes bytes() const { return __builtin_convertvector(winner, CellBytes); }
};

inline bool any(const Cells& flags) {
  for (int i = 0; i < lanes; ++i)
    if (flags[i]) return true;
  return false;
}

}  // namespace evenkeel
