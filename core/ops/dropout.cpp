#include "core/ops/dropout.h"

#include <cmath>

#include "core/base/shards.h"
#include "core/ops/elementwise.h"

namespace evenkeel {

Tensor dropout(const Tensor& x, real p, Random& random) {
  check(p >= 0 && p < 1, "dropout: p must be in [0, 1), got {}", p);
  if (p == 0) return x;
  // Element 2i + j takes half j (32 bits) of number i of the stream from here, and is kept if it is at least p 2^32.
  const auto limit = static_cast<uint32_t>(std::ldexp(static_cast<double>(p), 32));
  const real scale = 1 / (1 - p);
  int64_t first = 0, size = x.size();  // of the whole batch: a shard has the elements from `first` on
  if (const Shard* shard = this_shard()) {
    const int64_t examples = shard->end - shard->begin;
    check(examples > 0 && size % examples == 0,
          "dropout: x must have values for each of the shard's {} examples, its shape is {}", examples, x.shape());
    const int64_t each = size / examples;
    first = shard->begin * each;
    size = shard->of * each;
  }
  Tensor mask = Tensor::empty(x.shape());
  const Random start = random;
  parallel_blocks(x.size(), elementwise_block, [=, m = mask.mutable_data()](int64_t begin, int64_t end) {
    const auto kept = [=](uint64_t half) { return static_cast<uint32_t>(half) >= limit ? scale : real(0); };
    // The bits of both elements that element `at` of the whole batch shares a number with.
    const auto bits = [=](int64_t at) {
      return Random(start.key(), start.counter() + static_cast<uint64_t>(at / 2)).bits();
    };
    int64_t i = begin;
    if ((first + i) % 2 == 1) m[i] = kept(bits(first + i) >> 32), ++i;
    const int64_t pairs = (end - i) / 2;
    real* to = m + i;
#pragma omp simd
    for (int64_t j = 0; j < pairs; ++j) {
      const uint64_t both = bits(first + i + 2 * j);
      to[2 * j] = kept(both);
      to[2 * j + 1] = kept(both >> 32);
    }
    if (i + 2 * pairs < end) to[2 * pairs] = kept(bits(end - 1 + first));
  });
  random = Random(start.key(), start.counter() + static_cast<uint64_t>((size + 1) / 2));
  return x * mask;
}

}  // namespace evenkeel
