#include "core/kernels/finish.h"

#include <limits>
#include <utility>

namespace evenkeel {

Finish::Finish(const real* y, std::vector<real> scale, std::vector<real> shift, const real* add, bool relu)
    : y_(y), add_(add), relu_(relu), scale_(std::move(scale)), shift_(std::move(shift)) {}

void Finish::operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const {
  const real floor = relu_ ? 0 : -std::numeric_limits<real>::infinity();
  const real *scale = scale_.data() + channel, *shift = shift_.data() + channel;
  for (int64_t r = 0; r < rows; ++r, to += static_cast<int64_t>(scale_.size())) {
    const real* more = add_ ? add_ + (to - y_) : nullptr;
    if (more) {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] * scale[c] + shift[c] + more[c];
        to[c] = v < floor ? floor : v;
      }
    } else {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] * scale[c] + shift[c];
        to[c] = v < floor ? floor : v;
      }
    }
  }
}

}  // namespace evenkeel
