#include "core/base/shape.h"

namespace evenkeel {

void Shape::no_axis(int axis) const { fail(Fault::usage, "shape: {} has no axis {}", *this, axis); }

void Shape::too_large(int64_t d) const {
  std::string product;
  for (int i = 0; i < rank_; ++i) product += std::to_string(dims_[i]) + " x ";
  fail(Fault::usage, "shape: at most 2^58 values, got {}{}", product, d);
}

}  // namespace evenkeel
