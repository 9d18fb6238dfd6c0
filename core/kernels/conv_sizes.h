// The sizes of a convolution, and the ways to compute it.
#pragma once
#include <cstdint>

namespace evenkeel {

struct ConvSizes {
  int64_t n, h, w, c;  // x (n, h, w, groups c)
  int64_t k, r, s;     // w (groups k, r, s, c)
  int64_t p, q;        // y (n, p, q, groups k)
  int64_t stride, padding;
  int64_t groups = 1;
};

enum class ConvForm {
  direct,          // products with patches of the image: any sizes
  winograd,        // with tiles of 4x4 outputs; see winograd_applies()
  winograd_small,  // with tiles of 2x2 outputs: more products, but fewer filters to read
  bf16             // direct, with inputs rounded to bf16
};

}  // namespace evenkeel
