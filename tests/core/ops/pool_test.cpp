#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "core/ops/ops.h"

using namespace evenkeel;

namespace {
Tensor image(int64_t h, int64_t w, const std::vector<real>& values) { return Tensor::of({1, h, w, 1}, values); }
using Values = std::vector<real>;
}  // namespace

TEST_CASE("max_pool: the first of equal cells takes the gradient; NaN is never hidden; padding never wins") {
  Tensor x = image(2, 4, {1, 3, 2, 2, 3, 0, 2, 2});
  x.track();
  const Tensor y = max_pool(x);
  CHECK(y.values() == Values{3, 2});
  CHECK(grad(y, {x}, {.cotangent = image(1, 2, {10, 20})})[0].values() == Values{0, 10, 20, 0, 0, 0, 0, 0});

  const real nan = std::numeric_limits<real>::quiet_NaN(), lowest = -std::numeric_limits<real>::infinity();
  CHECK(std::isnan(max_pool(image(2, 2, {1, nan, 5, 2})).item()));
  Tensor low = image(2, 2, {lowest, lowest, lowest, lowest});
  low.track();
  poison_memory(true);  // what nobody wrote would show
  const Tensor g =
      grad(max_pool(low, {.size = 2, .padding = 1}), {low}, {.cotangent = Tensor::full({1, 2, 2, 1}, 1)})[0];
  poison_memory(false);
  CHECK(g.values() == Values{1, 1, 1, 1});
}

TEST_CASE(
    "max_pool's gradient is its adjoint, every cell written, whether windows tile the image, overlap or leave gaps") {
  Random random(12);
  poison_memory(true);
  for (int64_t size = 1; size <= 4; ++size)
    for (int64_t stride = 1; stride <= 5; ++stride)
      for (int64_t padding = 0; padding <= size / 2; ++padding)
        for (int64_t h = size; h <= 10; ++h) {
          Tensor x = Tensor::normal({2, h, h, 3}, random);
          x.track();
          const Tensor y = max_pool(x, {.size = size, .stride = stride, .padding = padding}),
                       g = Tensor::normal(y.shape(), random);
          const Tensor dx = grad(y, {x}, {.cotangent = g})[0];
          CAPTURE(size);
          CAPTURE(stride);
          CAPTURE(padding);
          CAPTURE(h);
          CHECK(dot(x, dx).item() == doctest::Approx(dot(y, g).item()).epsilon(1e-4));
        }
  poison_memory(false);
}

TEST_CASE("max_pool: a NaN in a window makes its gradient NaN, whichever channel it is in, and no other one's") {
  const real nan = std::numeric_limits<real>::quiet_NaN();
  const int64_t channels = 19;  // of no whole number of vectors
  for (int64_t at = 0; at < channels; ++at) {
    CAPTURE(at);
    Tensor x = Tensor::full({1, 2, 4, channels}, 1);
    x.mutable_data()[2 * channels + at] = nan;  // in the window on the right
    x.track();
    const Tensor dx = grad(max_pool(x), {x}, {.cotangent = Tensor::full({1, 1, 2, channels}, 1)})[0];
    int64_t wrong = 0;
    for (int64_t i = 0; i < dx.size(); ++i)
      wrong += std::isnan(dx.data()[i]) != (i % channels == at && i / channels % 4 >= 2);
    CHECK(wrong == 0);
  }
}

TEST_CASE("max_pool: the cell that is kept of a window is its NaN's") {
  const real nan = std::numeric_limits<real>::quiet_NaN();
  for (int64_t at = 0; at < 4; ++at) {
    Tensor x = image(2, 2, {1, 4, 3, 2});
    x.mutable_data()[at] = nan;
    x.track();
    // <dx, h> for a cotangent g is g h[winner]: its derivative by g is h[winner].
    const Tensor g = image(1, 1, {1}).track(), h = image(2, 2, {0, 1, 2, 3});
    const Tensor dx = grad(max_pool(x), {x}, {.differentiable = true, .cotangent = g})[0];
    CHECK(grad(dot(dx, h), {g})[0].item() == static_cast<real>(at));
  }
}

TEST_CASE("the graph keeps a byte of each maximum's place, and nothing of the image") {
  const Tensor x = Tensor::full({8, 64, 64, 16}, 1).track();
  const int64_t before = memory_stats().live_bytes, bytes = x.size() * static_cast<int64_t>(sizeof(real));
  const Tensor y = max_pool(x * real(2), {.size = 2});
  CHECK(memory_stats().live_bytes - before < bytes / 4 + x.size() / 4 + bytes / 16);  // y and the places
  CHECK(grad(y, {x}, {.cotangent = y.detach()})[0].data()[0] == 4);
}

TEST_CASE("avg_pool leaves the padding out of its average") {
  CHECK(avg_pool(image(2, 2, {1, 2, 3, 4}), {.size = 2, .padding = 1}).values() == Values{1, 2, 3, 4});
  CHECK(global_avg_pool(image(2, 2, {1, 2, 3, 6})).values() == Values{3});
}

TEST_CASE("pad, crop, concat, slice and embed move values where they say") {
  const Tensor x = image(1, 2, {1, 2});
  CHECK(pad(x, {.top = 1, .left = 1, .right = 2}).values() == Values{0, 0, 0, 0, 0, 0, 1, 2, 0, 0});
  CHECK(crop(pad(x, {1, 2, 3, 4}), {1, 2, 3, 4}).values() == x.values());
  const Tensor a = Tensor::of({2, 1}, {1, 2}), b = Tensor::of({2, 2}, {3, 4, 5, 6});
  const Tensor ab = concat_channels({a, b});
  CHECK(ab.values() == Values{1, 3, 4, 2, 5, 6});
  CHECK(slice_channels(ab, 1, 3).values() == b.values());
  CHECK(embed_channels(a, 1, 3).values() == Values{0, 1, 0, 0, 2, 0});
  CHECK(transpose(ab).values() == Values{1, 2, 3, 5, 4, 6});
  CHECK(gather_rows(ab, {1, 0, 1}).values() == Values{2, 5, 6, 1, 3, 4, 2, 5, 6});
  CHECK(scatter_rows(ab, {2, 2}, 3).values() == Values{0, 0, 0, 0, 0, 0, 3, 8, 10});
}

TEST_CASE("transposes of any size move every value to its place") {
  Random random(5);
  for (const auto& [a, b] : {std::pair<int64_t, int64_t>{1, 70}, {16, 16}, {37, 50}, {33, 1}, {0, 3}, {700, 130}}) {
    const Tensor x = Tensor::normal({a, b}, random), y = transpose(x);
    REQUIRE(y.shape() == Shape{b, a});
    int64_t wrong = 0;
    for (int64_t i = 0; i < a; ++i)
      for (int64_t j = 0; j < b; ++j) wrong += y.data()[j * a + i] != x.data()[i * b + j];
    CHECK(wrong == 0);
  }
  const Tensor x = Tensor::normal({3, 5, 7, 33}, random), y = to_channels_first(x);
  REQUIRE(y.shape() == Shape{3, 33, 5, 7});
  int64_t wrong = 0;
  for (int64_t n = 0; n < 3; ++n)
    for (int64_t p = 0; p < 35; ++p)
      for (int64_t c = 0; c < 33; ++c) wrong += y.data()[(n * 33 + c) * 35 + p] != x.data()[(n * 35 + p) * 33 + c];
  CHECK(wrong == 0);
  CHECK(to_channels_last(y).values() == x.values());
}

TEST_CASE("pooling and joining refuse what does not fit, and say why") {
  const Tensor x = Tensor::zeros({1, 4, 4, 3});
  CHECK_THROWS_WITH_AS(max_pool(x, {.size = 5}), doctest::Contains("window of 5 x 5 must fit"), Error);
  CHECK_THROWS_WITH_AS(avg_pool(x, {.size = 2, .padding = 2}), doctest::Contains("padding at most half the size"),
                       Error);
  CHECK_THROWS_WITH_AS(max_pool(Tensor::zeros({1, 20, 20, 1}), {.size = 17}), doctest::Contains("at most 256 cells"),
                       Error);
  CHECK_THROWS_WITH_AS(global_avg_pool(Tensor::zeros({4, 3})), doctest::Contains("needs (N, H, W, C)"), Error);
  CHECK_THROWS_WITH_AS(crop(x, {.top = 5}), doctest::Contains("border must fit"), Error);
  CHECK_THROWS_WITH_AS(crop(x, {.left = 2, .right = 3}), doctest::Contains("border must fit"), Error);
  for (const Border& b : {Border{.top = -1}, {.bottom = -1}, {.left = -1}, {.right = -1}, {.top = INT64_MAX}}) {
    CHECK_THROWS_WITH_AS(pad(x, b), doctest::Contains("border of 0 to 2^58"), Error);
    CHECK_THROWS_WITH_AS(crop(x, b), doctest::Contains("border of 0 to 2^58"), Error);
  }
  CHECK_THROWS_WITH_AS(avg_pool(x, {.size = INT64_MAX, .padding = INT64_MAX / 2}), doctest::Contains("size must be 1"),
                       Error);
  CHECK_THROWS_WITH_AS(concat_channels({x, Tensor::zeros({2, 4, 4, 3})}),
                       doctest::Contains("all axes but the last must agree"), Error);
  CHECK_THROWS_WITH_AS(slice_channels(x, 1, 4), doctest::Contains("[1, 4) must lie in the channels"), Error);
  CHECK_THROWS_WITH_AS(slice_channels(x, 2, 1), doctest::Contains("[2, 1) must lie in the channels"), Error);
  CHECK_THROWS_WITH_AS(embed_channels(x, 1, 3), doctest::Contains("must fit into 3 channels"), Error);
  CHECK_THROWS_WITH_AS(transpose(x), doctest::Contains("x must be (A, B)"), Error);
  CHECK_THROWS_WITH_AS(gather_rows(x, {0, 1}), doctest::Contains("rows must be in [0, 1), got 1"), Error);
  CHECK_THROWS_WITH_AS(gather_rows(Tensor::scalar(1), {0}), doctest::Contains("needs an axis of rows"), Error);
  CHECK_THROWS_WITH_AS(scatter_rows(x, {-1}, 3), doctest::Contains("rows must be in [0, 3), got -1"), Error);
  CHECK_THROWS_WITH_AS(scatter_rows(x, {1, 1}, 3), doctest::Contains("as many indices as rows, got 2"), Error);
  CHECK_THROWS_WITH_AS(scatter_rows(x, {0}, 0), doctest::Contains("rows must be in [0, 0), got 0"), Error);
  CHECK_THROWS_WITH_AS(scatter_rows(x, {}, -1), doctest::Contains("scatter_rows: count must be 0 or more, got -1"),
                       Error);
}
