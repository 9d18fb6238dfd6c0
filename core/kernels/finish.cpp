#include "core/kernels/finish.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace evenkeel {

Finish::Finish(const real* y, std::vector<real> bias, const real* add, bool relu)
    : y_(y), add_(add), relu_(relu), bias_(std::move(bias)) {}

void Finish::operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const {
  const real floor = relu_ ? 0 : -std::numeric_limits<real>::infinity();
  const real* bias = bias_.data() + channel;
  for (int64_t r = 0; r < rows; ++r, to += static_cast<int64_t>(bias_.size())) {
    const real* more = add_ ? add_ + (to - y_) : nullptr;
    if (more) {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] + bias[c] + more[c];
        to[c] = v < floor ? floor : v;
      }
    } else {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] + bias[c];
        to[c] = v < floor ? floor : v;
      }
    }
  }
}

void write_rows(const real* v, int64_t rows, int64_t k, int64_t step, const Finish& finish, bool streamed, real* y) {
  for (; rows > 0; --rows, v += step, y += k) {
    if (streamed) {
      for (int64_t c = 0; c < k; c += lanes) stream(y + c, finish ? finish(vec(v + c), y + c, c) : Vec(vec(v + c)));
      continue;
    }
    k < lanes ? void(std::copy_n(v, k, y)) : copy_line(v, k, y);
    if (finish) finish(y, 1, 0, k);
  }
}

}  // namespace evenkeel
