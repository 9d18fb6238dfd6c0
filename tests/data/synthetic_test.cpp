#include "data/synthetic.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/parallel.h"
#include "core/ops/ops.h"
#include "data/catalogue/sha256.h"
#include "data/loader.h"

using namespace evenkeel;

namespace {

Dataset drawn(const Shape& image, int64_t count, uint64_t seed) {
  Dataset data{.name = "shapes", .image = image, .classes = 10};
  draw_shapes(data, count, Random(seed));
  return data;
}

}  // namespace

TEST_CASE("shapes are the same on every platform, for any number of threads and examples") {
  const auto digest = [](const Dataset& data, int64_t count) {
    Sha256 sha;
    sha.add({reinterpret_cast<const char*>(data.pixels.data()), static_cast<size_t>(count * data.image.size())});
    return sha.hex();
  };
  CHECK(digest(drawn({28, 28, 1}, 200, 1), 200) == "2c1c29fb97f144a8cafab8298262b3a71de943871ebdc5296b90477905b40ff0");
  CHECK(digest(drawn({32, 32, 3}, 200, 1), 200) == "13aa9c77bd75baeb799473f1619dd5daabe97825dabd398cd7f0ccae41ca94a8");
  const int before = threads();
  set_threads(1);
  CHECK(digest(drawn({28, 28, 1}, 300, 1), 200) == digest(drawn({28, 28, 1}, 200, 1), 200));
  set_threads(before);
  CHECK(digest(drawn({28, 28, 1}, 200, 2), 200) != digest(drawn({28, 28, 1}, 200, 1), 200));
}

TEST_CASE("shapes: each class as often as any other, ink that differs from its ground in every image") {
  const Dataset data = drawn({28, 28, 1}, 1000, 3);
  for (int32_t c = 0; c < 10; ++c) CHECK(std::ranges::count(data.labels, c) == 100);
  for (int64_t i = 0; i < data.size(); ++i) {
    const auto [low, high] = std::minmax_element(data.pixels.begin() + i * 784, data.pixels.begin() + (i + 1) * 784);
    CHECK(*high - *low > 50);
  }
}

TEST_CASE("no linear function of the pixels tells the shapes apart") {
  for (const Shape& image : {Shape{28, 28, 1}, Shape{32, 32, 3}}) {
    const Dataset train = drawn(image, 4000, 1), test = drawn(image, 1000, 2);
    const Normalization normalization = measure(train);
    Tensor w = Tensor::zeros({image.size(), 10});
    w.track();
    Loader batches(train, normalization, {.batch_size = 100});
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      batches.begin_epoch(epoch);
      for (Batch batch; batches.next(batch);) {
        const Tensor x = reshape(batch.x, {batch.x.dim(0), image.size()});
        const Tensor g = grad(cross_entropy(matmul(x, w), batch.labels), {w})[0];
        for (int64_t i = 0; i < w.size(); ++i) w.mutable_data()[i] -= real(0.01) * g.data()[i];
      }
    }
    Loader whole(test, normalization, {.batch_size = test.size(), .shuffle = false});
    whole.begin_epoch(0);
    Batch batch;
    whole.next(batch);
    const int64_t correct = count_correct(matmul(reshape(batch.x, {test.size(), image.size()}), w), batch.labels);
    CHECK(correct < test.size() / 2);
    MESSAGE("linear softmax on shapes ", image.str(), ": ", correct, " of ", test.size());
  }
}
