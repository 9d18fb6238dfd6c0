#include "core/ops/dropout.h"

#include <cmath>

#include "core/base/shards.h"
#include "core/ops/elementwise.h"

namespace evenkeel {

Tensor dropout(const Tensor& x, real p, Random& random) {
  check(p >= 0 && p < 1, "dropout: p must be in [0, 1), got {}", p);
  if (p == 0) return x;
  // Element 2i + j takes half j (32 bits) of number i of the stream from here, and is kept if it is at least p 2^32.
  const auto limit = static_cast<uint64_t>(std::ldexp(static_cast<double>(p), 32));
  const real scale = 1 / (1 - p);
  int64_t first = 0, size = x.size();  // of the whole batch: a shard has the elements from `first` on
  if (const Shard* shard = this_shard()) {
    const int64_t examples = shard->end - shard->begin;
    check(size % examples == 0, "dropout: x must have values for each of the shard's {} examples, its shape is {}",
          examples, x.shape());
    const int64_t each = size / examples;
    first = shard->begin * each;
    size = shard->of * each;
  }
  Tensor mask = Tensor::empty(x.shape());
  const Random start = random;
  parallel_blocks(x.size(), elementwise_block, [=, m = mask.mutable_data()](int64_t begin, int64_t end) {
    const auto kept = [=](uint64_t half) { return half >= limit ? scale : real(0); };
    Random stream(start.key(), start.counter() + static_cast<uint64_t>((first + begin) / 2));
    int64_t i = begin;
    if ((first + begin) % 2 == 1) m[i++] = kept(stream.bits() >> 32);
    for (; i < end; i += 2) {
      const uint64_t bits = stream.bits();
      m[i] = kept(bits & 0xffffffff);
      if (i + 1 < end) m[i + 1] = kept(bits >> 32);
    }
  });
  random = Random(start.key(), start.counter() + static_cast<uint64_t>((size + 1) / 2));
  return x * mask;
}

}  // namespace evenkeel
