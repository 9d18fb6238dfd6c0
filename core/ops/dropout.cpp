#include "core/ops/dropout.h"

#include <cmath>

#include "core/ops/elementwise.h"

namespace evenkeel {

Tensor dropout(const Tensor& x, real p, Random& random) {
  check(p >= 0 && p < 1, "dropout: p must be in [0, 1), got {}", p);
  if (p == 0) return x;
  // Element 2i + j takes half j (32 bits) of number i of the stream from here, and is kept if it is at least p 2^32.
  const auto limit = static_cast<uint64_t>(std::ldexp(static_cast<double>(p), 32));
  const real scale = 1 / (1 - p);
  Tensor mask = Tensor::empty(x.shape());
  const Random start = random;
  parallel_blocks(x.size(), elementwise_block, [=, m = mask.mutable_data()](int64_t begin, int64_t end) {
    Random stream(start.key(), start.counter() + static_cast<uint64_t>(begin / 2));
    for (int64_t i = begin; i < end; i += 2) {
      const uint64_t bits = stream.bits();
      m[i] = (bits & 0xffffffff) >= limit ? scale : real(0);
      if (i + 1 < end) m[i + 1] = bits >> 32 >= limit ? scale : real(0);
    }
  });
  random = Random(start.key(), start.counter() + static_cast<uint64_t>((x.size() + 1) / 2));
  return x * mask;
}

}  // namespace evenkeel
