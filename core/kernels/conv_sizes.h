// The sizes of a convolution.
#pragma once
#include <cstdint>

namespace evenkeel {

struct ConvSizes {
  int64_t n, h, w, c;  // x (n, h, w, c)
  int64_t k, r, s;     // w (k, r, s, c)
  int64_t p, q;        // y (n, p, q, k)
  int64_t stride, padding;
};

}  // namespace evenkeel
