#include <cstring>
#include <numeric>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "tests/conv_golden.h"

using namespace evenkeel;

TEST_CASE("conv2d and pooling equal PyTorch's to 1e-5") { check_conv_golden(1e-5); }

TEST_CASE("conv2d and its adjoints give the same bits for any number of threads") {
  const int before = threads();
  Random random(3);
  for (const auto& [n, c, k, r, stride, groups] : {std::array<int64_t, 6>{9, 3, 8, 3, 1, 1},
                                                   {9, 16, 24, 3, 1, 1},
                                                   {2, 16, 24, 3, 1, 1},
                                                   {9, 32, 16, 3, 2, 1},
                                                   {9, 8, 40, 5, 1, 1},
                                                   {6, 16, 16, 5, 1, 1},
                                                   {9, 64, 32, 1, 1, 1},
                                                   {9, 32, 64, 3, 1, 2},
                                                   {9, 40, 40, 3, 1, 40},
                                                   {9, 24, 24, 5, 2, 24}}) {
    const Tensor x = Tensor::normal({n, 17, 13, c}, random), w = Tensor::normal({k, r, r, c / groups}, random);
    const ConvOptions o{.stride = stride, .padding = r / 2, .groups = groups};
    std::vector<std::vector<real>> expected;
    for (int count : {1, 2, 3, 8}) {
      set_threads(count);
      const Tensor y = conv2d(x, w, o);
      const std::vector<std::vector<real>> got{y.values(), conv2d_dx(y, w, x.shape(), o).values(),
                                               conv2d_dw(x, y, w.shape(), o).values(),
                                               PreparedFilters(w, o)(x).values()};
      if (expected.empty()) expected = got;
      CHECK(got == expected);
    }
  }
  set_threads(before);
}

namespace {

// The largest error of `got` in units of the root mean square of the exact values.
double error(const Tensor& got, const std::vector<double>& exact) {
  double worst = 0, square = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(worst, std::abs(got.data()[i] - exact[i]));
    square += exact[i] * exact[i];
  }
  return worst / std::sqrt(square / static_cast<double>(exact.size()));
}

}  // namespace

TEST_CASE("Winograd's form: the largest error is within 2e-5 for 3x3 and 1e-4 for 5x5, the direct form's within 5e-6") {
  Random random(4);
  std::vector<std::array<int64_t, 5>> sizes = {
      {2, 12, 64, 48, 3}, {1, 8, 256, 64, 3},  {2, 9, 16, 16, 3},   {15, 9, 16, 24, 3}, {2, 14, 32, 64, 5},
      {1, 11, 16, 24, 5}, {15, 11, 24, 16, 5}, {12, 16, 16, 16, 3}, {2, 17, 16, 24, 1}, {4, 17, 16, 24, 1}};
  for (int64_t r : {3, 5})
    for (int64_t h = 1; h <= 8; ++h)
      for (int64_t n : {1, 6}) sizes.push_back({n, h, 16, 20, r});
  for (const auto& [n, h, c, k, r] : sizes) {
    const Tensor x = Tensor::normal({n, h, h, c}, random), w = Tensor::normal({k, r, r, c}, random),
                 g = Tensor::normal({n, h, h, k}, random);
    std::vector<double> y(static_cast<size_t>(g.size())), dx(static_cast<size_t>(x.size())),
        dw(static_cast<size_t>(w.size()));
    for (int64_t row = 0; row < n * h * h; ++row)
      for (int64_t tap = 0; tap < r * r; ++tap) {
        const int64_t i = row / h % h + tap / r - r / 2, j = row % h + tap % r - r / 2;
        if (i < 0 || j < 0 || i >= h || j >= h) continue;
        const int64_t at = ((row / (h * h) * h + i) * h + j) * c;
        for (int64_t f = 0; f < k; ++f)
          for (int64_t ch = 0; ch < c; ++ch) {
            const int64_t tap_at = (f * r * r + tap) * c + ch;
            const double xv = x.data()[at + ch], wv = w.data()[tap_at], gv = g.data()[row * k + f];
            y[static_cast<size_t>(row * k + f)] += xv * wv;
            dx[static_cast<size_t>(at + ch)] += gv * wv;
            dw[static_cast<size_t>(tap_at)] += gv * xv;
          }
      }
    for (ConvAlgorithm algorithm : {ConvAlgorithm::winograd, ConvAlgorithm::direct}) {
      const double bound = algorithm == ConvAlgorithm::direct ? 5e-6 : r == 3 ? 2e-5 : 1e-4;
      // A result of one row or column, and a kernel of 1x1, are left to the direct form.
      const ConvOptions o{.padding = r / 2, .algorithm = h == 1 || r == 1 ? ConvAlgorithm::automatic : algorithm};
      CHECK(error(conv2d(x, w, o), y) < bound);
      CHECK(error(conv2d_dx(g, w, x.shape(), o), dx) < bound);
      CHECK(error(conv2d_dw(x, g, w.shape(), o), dw) < bound);
    }
    CHECK(error(PreparedFilters(w, {.padding = r / 2})(x), y) < (r == 3 ? 2e-5 : 1e-4));
  }
}

TEST_CASE("Winograd's form is chosen where it saves at least half of the multiplications") {
  // A tile of 4 x 4 results takes 36 in place of 144, and the filters as many as 64 tiles: 64 tiles need (64 + 64) 36,
  // half of 64 x 144.
  Random random(6);
  const Tensor w = Tensor::normal({16, 3, 3, 16}, random);
  const auto with = [](ConvAlgorithm algorithm) { return ConvOptions{.padding = 1, .algorithm = algorithm}; };
  const ConvOptions automatic{.padding = 1}, winograd = with(ConvAlgorithm::winograd),
                                             direct = with(ConvAlgorithm::direct);
  for (int64_t tiles : {1, 3, 4, 30, 63, 64, 65}) {
    CAPTURE(tiles);
    const Tensor x = Tensor::normal({tiles, 4, 4, 16}, random), g = Tensor::normal({tiles, 4, 4, 16}, random);
    const auto by_winograd = conv2d(x, w, winograd).values(), directly = conv2d(x, w, direct).values();
    REQUIRE(by_winograd != directly);  // they round differently
    CHECK(conv2d(x, w, automatic).values() == (tiles >= 64 ? by_winograd : directly));
    const ConvOptions& chosen = tiles >= 64 ? winograd : direct;
    CHECK(conv2d_dx(g, w, x.shape(), automatic).values() == conv2d_dx(g, w, x.shape(), chosen).values());
    CHECK(conv2d_dw(x, g, w.shape(), automatic).values() == conv2d_dw(x, g, w.shape(), chosen).values());
  }
}

TEST_CASE("Winograd's form is not chosen with a stride, for another kernel, nor for a result of one row or column") {
  Random random(10);
  struct Size {
    int64_t h, w, r, s, stride;
  };
  for (const auto& [h, w, r, s, stride] : {Size{16, 16, 3, 3, 2},
                                           {16, 16, 5, 5, 2},
                                           {16, 16, 3, 5, 1},
                                           {16, 16, 1, 3, 1},
                                           {3, 64, 3, 3, 1},
                                           {64, 3, 3, 3, 1}}) {
    const Tensor x = Tensor::normal({20, h, w, 16}, random), filters = Tensor::normal({16, r, s, 16}, random);
    const ConvOptions automatic{.stride = stride}, direct{.stride = stride, .algorithm = ConvAlgorithm::direct};
    const Tensor y = conv2d(x, filters, direct);
    CAPTURE(y.shape().str());
    CHECK(conv2d(x, filters, automatic).values() == y.values());
    CHECK(PreparedFilters(filters, automatic)(x).values() == y.values());
    CHECK(conv2d_dx(y, filters, x.shape(), automatic).values() == conv2d_dx(y, filters, x.shape(), direct).values());
    CHECK(conv2d_dw(x, y, filters.shape(), automatic).values() == conv2d_dw(x, y, filters.shape(), direct).values());
  }
}

TEST_CASE("Winograd's form: the gradient of many filters over many images is the sum of those over parts") {
  Random random(11);
  const int64_t images = 150, channels = 96;  // 600 tiles, more than the caches hold at once
  const Tensor x = Tensor::normal({images, 8, 8, channels}, random), g = Tensor::normal(x.shape(), random);
  const ConvOptions o{.padding = 1, .algorithm = ConvAlgorithm::winograd};
  const auto gradient = [&](int64_t begin, int64_t end) {
    std::vector<int64_t> some(static_cast<size_t>(end - begin));
    std::iota(some.begin(), some.end(), begin);
    return conv2d_dw(gather_rows(x, some), gather_rows(g, some), {channels, 3, 3, channels}, o);
  };
  const Tensor whole = gradient(0, images), parts = gradient(0, 70) + gradient(70, images);
  CHECK(squared_distance(whole, parts).item() <= 1e-10 * dot(whole, whole).item());
}

TEST_CASE("without images the gradient of the filters is zero, in every form") {
  poison_memory(true);
  for (const int64_t channels : {16, 128})
    for (const ConvAlgorithm algorithm : {ConvAlgorithm::direct, ConvAlgorithm::winograd}) {
      const Tensor none = Tensor::empty({0, 8, 8, channels});
      const Tensor dw = conv2d_dw(none, none, {channels, 3, 3, channels}, {.padding = 1, .algorithm = algorithm});
      CHECK(std::all_of(dw.data(), dw.data() + dw.size(), [](real v) { return v == 0; }));
    }
  poison_memory(false);
}

TEST_CASE("prepared filters: directly for some pixels, by tiles of 2 x 2 results for few tiles, of 4 x 4 for more") {
  // Costs by prepared_form_of(): 9 (pixels + 8), 1.1 x 16 (small tiles + 6), 1.4 x 36 (tiles + 6). 2 x 2 pixels: 108,
  // 123, 353. Nine images of 4 x 4: 1368, 739, 756; ten: 1512, 810, 806.
  Random random(7);
  const Tensor w = Tensor::normal({16, 3, 3, 16}, random);
  const PreparedFilters prepared(w, {.padding = 1});
  for (const auto& [n, side, form] : {std::tuple{1, 2, 0}, {1, 4, 2}, {9, 4, 2}, {10, 4, 1}, {40, 4, 1}, {3, 16, 1}}) {
    const Tensor x = Tensor::normal({n, side, side, 16}, random);
    CAPTURE(x.shape().str());
    const auto y = prepared(x).values();
    CHECK((y == conv2d(x, w, {.padding = 1, .algorithm = ConvAlgorithm::direct}).values()) == (form == 0));
    CHECK((y == conv2d(x, w, {.padding = 1, .algorithm = ConvAlgorithm::winograd}).values()) == (form == 1));
  }
}

TEST_CASE("filters prepared for our products are refused by OpenBLAS's, and the other way round") {
  const Tensor x = Tensor::full({1, 4, 4, 3}, 1), w = Tensor::full({5, 3, 3, 3}, 1);
  try {
    set_blas(true);
  } catch (const Error&) {  // a build without OpenBLAS
    return;
  }
  const PreparedFilters theirs(w, {});
  const std::vector<real> y = theirs(x).values();
  set_blas(false);
  CHECK_THROWS_WITH_AS(theirs(x), doctest::Contains("prepare them again"), Error);
  const PreparedFilters ours(w, {});
  CHECK(ours(x).values() == y);  // sums of ones are exact
  set_blas(true);
  CHECK_THROWS_WITH_AS(ours(x), doctest::Contains("prepare them again"), Error);
  set_blas(false);
}

TEST_CASE("a result larger than the caches has the bits of its images' own results, with an epilogue too") {
  Random random(5);
  const int64_t images = 16;
  const Tensor x = Tensor::normal({images, 49, 58, 16}, random), add = Tensor::normal({images, 49, 58, 32}, random),
               bias = Tensor::normal({32}, random);
  REQUIRE(add.size() * static_cast<int64_t>(sizeof(real)) > (int64_t{1} << 22));
  for (const int64_t r : {1, 3})
    for (const ConvAlgorithm algorithm : {ConvAlgorithm::direct, ConvAlgorithm::winograd})
      for (const bool more : {false, true}) {
        if (r == 1 && algorithm == ConvAlgorithm::winograd) continue;
        CAPTURE(r);
        CAPTURE(static_cast<int>(algorithm));
        CAPTURE(more);
        const Tensor w = Tensor::normal({32, r, r, 16}, random);
        const ConvOptions o{.padding = r / 2, .algorithm = algorithm};
        const auto result = [&](const Tensor& in, const Tensor& added) {
          return more ? conv2d(in, w, o, bias, {.add = added, .after = After::relu}) : conv2d(in, w, o);
        };
        const Tensor y = result(x, add);
        for (int64_t n = 0; n < images; ++n) {
          const Tensor part = result(gather_rows(x, {n}), gather_rows(add, {n}));
          CHECK(std::equal(part.data(), part.data() + part.size(), y.data() + n * part.size()));
        }
      }
}

TEST_CASE("few rows, many filters: each part of the columns gets the bias and the addend of its own columns") {
  Random random(14);
  for (const int64_t r : {1, 3}) {
    const Tensor x = Tensor::normal({2, 11, 12, 5}, random), w = Tensor::normal({150, r, r, 5}, random),
                 bias = Tensor::normal({150}, random), add = Tensor::normal({2, 11, 12, 150}, random);
    const ConvOptions o{.padding = r / 2};
    const Tensor y = conv2d(x, w, o, bias, {.add = add, .after = After::relu});
    CHECK(y.values() == relu(add_per_channel(conv2d(x, w, o), bias) + add).values());
  }
}

TEST_CASE("conv2d: without channels and filters every number of groups is one") {
  for (const int64_t groups : {int64_t{1}, int64_t{3}, INT64_MAX}) {
    CHECK(conv2d(Tensor::empty({2, 4, 4, 0}), Tensor::empty({0, 3, 3, 0}), {.groups = groups}).shape() ==
          Shape{2, 2, 2, 0});
    CHECK_THROWS_AS(conv2d(Tensor::empty({2, 4, 4, 0}), Tensor::empty({0, 3, 3, 2}), {.groups = groups}), Error);
  }
}

TEST_CASE("conv2d: all strides that leave one window are one") {
  const auto numbers = [](const Shape& shape) {  // exact in bf16, as are their products' sums
    Tensor t = Tensor::empty(shape);
    for (int64_t i = 0; i < t.size(); ++i) t.mutable_data()[i] = static_cast<real>(i % 5 - 2);
    return t.track();
  };
  for (const Precision precision : {Precision::float32, Precision::bf16})
    for (const int64_t groups : {1, 2, 4}) {
      const UsePrecision scope(precision);
      const Tensor x = numbers({2, 3, 5, 4}), w = numbers({4, 3, 3, 4 / groups});
      const auto all = [&](int64_t stride) {
        const Tensor y = conv2d(x, w, {.stride = stride, .padding = 1, .groups = groups});
        Grads d = grad(y, {x, w}, {.cotangent = numbers(y.shape())});
        d.push_back(y);
        return d;
      };
      const Grads near = all(5), far = all(INT64_MAX);
      CHECK(near[2].shape() == Shape{2, 1, 1, 4});
      for (size_t i = 0; i < near.size(); ++i) CHECK(near[i].values() == far[i].values());
    }
}

TEST_CASE("conv2d refuses what does not fit, and says why") {
  const Tensor x = Tensor::zeros({1, 4, 4, 3});
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 5, 5, 3})),
                       doctest::Contains("kernel of 5 x 5 must fit into the padded image of 4 x 4"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 5, 3})),
                       doctest::Contains("kernel of 3 x 5 must fit into the padded image of 4 x 4"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 0, 3, 3})), doctest::Contains("kernel of 0 x 3 must fit"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 0, 3})), doctest::Contains("kernel of 3 x 0 must fit"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 2, 2, 3}), {.padding = -1}),
                       doctest::Contains("padding 0 to 2^58, got 1 and -1"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 3, 1}), {.groups = 2}),
                       doctest::Contains("groups must divide channels and filters"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 3, 4})),
                       doctest::Contains("has 3 channels, w (2, 3, 3, 4) expects 4"), Error);
  CHECK_THROWS_WITH_AS(conv2d(Tensor::zeros({4, 3}), Tensor::zeros({2, 3, 3, 3})),
                       doctest::Contains("needs x (N, H, W, C)"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 3, 3}), {.stride = 0}),
                       doctest::Contains("stride must be at least 1"), Error);
  for (const int64_t padding : {INT64_MAX, INT64_MAX / 2})
    CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 3, 3}), {.padding = padding}),
                         doctest::Contains("padding 0 to 2^58"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({2, 3, 3, 3}), {.algorithm = ConvAlgorithm::winograd}),
                       doctest::Contains("at least 16 channels"), Error);
  CHECK_THROWS_WITH_AS(conv2d_dx(Tensor::zeros({1, 4, 4, 2}), Tensor::zeros({2, 3, 3, 3}), {1, 4, 4, 3}),
                       doctest::Contains("make a result of (1, 2, 2, 2), the cotangent is (1, 4, 4, 2)"), Error);
}

namespace {

// What Epilogue::moments promises of y, for any shape: y has the bits that it has otherwise, and moments(y) is exact.
// Returns whether the kernel has kept the moments.
bool check_moments(const Tensor& x, const Tensor& w, const ConvOptions& o, const Tensor& bias, const Epilogue& then) {
  Epilogue plain = then;
  plain.moments = false;
  poison_memory(true);
  const Tensor y = conv2d(x, w, o, bias, then), other = conv2d(x, w, o, bias, plain);
  poison_memory(false);
  CHECK(y.values() == other.values());
  const bool kept = y.storage()->moments && y.storage()->moments->count == static_cast<double>(y.rows());
  const Moments m = moments(y, 0, y.rows());
  CHECK(m.count == static_cast<double>(y.rows()));
  const size_t channels = static_cast<size_t>(y.channels()), size = static_cast<size_t>(y.size());
  std::vector<double> mean(channels), squares(channels);
  for (size_t i = 0; i < size; ++i) mean[i % channels] += y.data()[i] / m.count;
  for (size_t i = 0; i < size; ++i) {
    const double away = y.data()[i] - mean[i % channels];
    squares[i % channels] += away * away;
  }
  for (size_t c = 0; c < channels; ++c) {
    CHECK(std::abs(m.mean[c] - mean[c]) <= 1e-6 * std::sqrt(squares[c] / m.count) + 1e-15 * std::abs(mean[c]));
    CHECK(std::abs(m.squares[c] - squares[c]) <= 1e-5 * squares[c] + 1e-30);
  }
  return kept;
}

}  // namespace

TEST_CASE("conv2d: the moments that it keeps for a batch norm are those of the rows, also far from zero") {
  const int before = threads();
  Random random(8);
  for (const Precision precision : {Precision::float32, Precision::bf16}) {
    const UsePrecision use(precision);
    const bool bf16 = precision == Precision::bf16;
    const ConvAlgorithm form = bf16 ? ConvAlgorithm::automatic : ConvAlgorithm::winograd;
    const int64_t share = bf16 ? 4 : 1;  // of the images: a processor without bf16 units is slow
    for (const auto& [n, h, w, c, k, r] : {std::array<int64_t, 6>{1, 8, 8, 16, 16, 3},
                                           {2, 7, 9, 16, 32, 3},
                                           {3, 3, 2, 16, 16, 3},
                                           {40, 8, 8, 16, 48, 3},
                                           {17, 13, 10, 32, 16, 5},
                                           {24, 32, 32, 16, 64, 3},
                                           {5, 9, 9, 256, 128, 3}})
      for (const real far : {real(0), real(1000)}) {
        const Tensor x = Tensor::normal({(n + share - 1) / share, h, w, c}, random) + far,
                     filters = Tensor::normal({k, r, r, c}, random);
        // Far from zero without zeros around, which would make the variance large.
        const int64_t padding = far == 0 || std::min(h, w) < r + 1 ? r / 2 : 0;
        const ConvOptions o{.padding = padding, .algorithm = form};
        set_threads(1);
        CHECK(check_moments(x, filters, o, {}, {.moments = true}));
        const Moments one = *conv2d(x, filters, o, {}, {.moments = true}).storage()->moments;
        set_threads(3);
        CHECK(one.flat() == conv2d(x, filters, o, {}, {.moments = true}).storage()->moments->flat());
      }
    for (const auto& [n, h, c, k] :
         {std::array<int64_t, 4>{40, 8, 16, 48}, {24, 32, 3, 64}, {5, 33, 16, 16}, {18, 15, 8, 32}})
      for (const int64_t r : {1, 3})
        for (const int64_t stride : {1, 2}) {
          const int64_t images = (n + share - 1) / share;
          const Tensor x = Tensor::normal({images, h, h, c}, random) + real(30),
                       w = Tensor::normal({k, r, r, c}, random);
          const ConvOptions o{.stride = stride, .algorithm = ConvAlgorithm::direct};
          const bool many = images * ((h - r) / stride + 1) * ((h - r) / stride + 1) > 1024;
          CHECK(check_moments(x, w, o, {}, {.moments = true}) == (many || bf16));
        }
    // Where something follows, or the form has no such kernel, none are kept.
    const Tensor x = Tensor::normal({2, 8, 8, 16}, random), w = Tensor::normal({16, 3, 3, 16}, random),
                 bias = Tensor::normal({16}, random);
    for (const After after : {After::nothing, After::relu, After::gelu})
      CHECK_FALSE(check_moments(x, w, {.padding = 1}, bias, {.after = after, .moments = true}));
    CHECK(conv2d(Tensor::empty({0, 8, 8, 16}), w, {.padding = 1}, {}, {.moments = true}).size() == 0);
    CHECK_FALSE(check_moments(x, w, {.padding = 1}, {}, {.after = After::gelu, .moments = true}));
    CHECK_FALSE(check_moments(x, Tensor::normal({7, 3, 3, 16}, random), {.padding = 1}, {}, {.moments = true}));
    CHECK_FALSE(
        check_moments(x, Tensor::normal({16, 3, 3, 8}, random), {.padding = 1, .groups = 2}, {}, {.moments = true}));
  }
  set_threads(before);
}

TEST_CASE("pooling in a convolution's epilogue is max_pool of its result to the bit, and so are the gradients") {
  const int before = threads();
  Random random(9);
  const auto bits = [](const Tensor& t) {
    std::vector<uint32_t> b(static_cast<size_t>(t.size()));
    std::memcpy(b.data(), t.data(), b.size() * sizeof(uint32_t));
    return b;
  };
  for (const auto& [n, h, w, c, k, r] : {std::array<int64_t, 6>{1, 8, 8, 16, 16, 3},
                                         {3, 2, 3, 16, 32, 3},
                                         {2, 7, 10, 16, 32, 3},
                                         {40, 9, 5, 16, 48, 3},
                                         {5, 11, 13, 32, 16, 5},
                                         {70, 33, 33, 16, 64, 3},  // written with non-temporal stores
                                         {2, 8, 8, 16, 21, 3},     // no whole vectors of filters
                                         {2, 9, 9, 3, 16, 3}})     // the direct form
    for (const After after : {After::nothing, After::relu, After::gelu})
      for (const bool with_bias : {false, true})
        for (const bool nan : {false, true}) {
          if (n == 70 && (nan || after == After::gelu))
            continue;  // only how it is written differs, and that takes long
          const Shape of_x{n, h, w, c}, of_w{k, r, r, c};
          CAPTURE(of_x.str());
          CAPTURE(of_w.str());
          Tensor x = Tensor::normal(of_x, random), filters = Tensor::normal(of_w, random).track();
          if (nan) x.mutable_data()[x.size() / 2] = std::numeric_limits<real>::quiet_NaN();
          x.track();
          const Tensor bias = with_bias ? Tensor::normal({k}, random).track() : Tensor();
          const bool winograd = c >= 16;
          const ConvOptions o{.padding = r / 2,
                              .algorithm = winograd ? ConvAlgorithm::winograd : ConvAlgorithm::automatic};
          const Tensor g = Tensor::normal({n, h / 2, w / 2, k}, random);
          std::vector<Tensor> inputs{x, filters};
          if (with_bias) inputs.push_back(bias);
          poison_memory(true);
          const Tensor y = max_pool(conv2d(x, filters, o, bias, {.after = after}));
          const Grads d = grad(dot(y, g), inputs);
          for (const int count : {1, 3}) {
            set_threads(count);
            const Tensor fused = conv2d(x, filters, o, bias, {.after = after, .pool = true});
            CHECK(bits(fused) == bits(y));
            const Grads got = grad(dot(fused, g), inputs);
            CHECK(bits(got[0]) == bits(d[0]));
            CHECK(bits(got[1]) == bits(d[1]));
            for (int64_t i = 0; with_bias && !nan && i < k; ++i)  // summed in another order
              CHECK(std::abs(got[2].data()[i] - d[2].data()[i]) <= 1e-5 * std::abs(d[2].data()[i]) + 1e-3);
          }
          poison_memory(false);
          const Recording off(false);
          for (const ConvAlgorithm algorithm : {o.algorithm, ConvAlgorithm::automatic}) {
            const PreparedFilters prepared(filters, {.padding = r / 2, .algorithm = algorithm});
            CHECK(bits(prepared(x, bias, {.after = after, .pool = true})) ==
                  bits(max_pool(prepared(x, bias, {.after = after}))));
          }
          const bool kept = !nan && check_moments(x, filters, o, bias, {.after = after, .pool = true, .moments = true});
          if (!nan) CHECK(kept == (winograd && k % 16 == 0 && after == After::nothing && !with_bias));
        }
  set_threads(before);
  // What a convolution adds is of the size before the pooling, and only a convolution pools.
  const Tensor x = Tensor::normal({2, 6, 6, 16}, random), w = Tensor::normal({16, 3, 3, 16}, random),
               add = Tensor::normal({2, 6, 6, 16}, random), one = Tensor::full({16}, 1);
  const ConvOptions o{.padding = 1, .algorithm = ConvAlgorithm::winograd};
  CHECK(conv2d(x, w, o, {}, {.add = add, .pool = true}).values() ==
        max_pool(conv2d(x, w, o, {}, {.add = add})).values());
  CHECK_THROWS_WITH_AS(conv2d(Tensor::normal({2, 1, 6, 16}, random), w, {.padding = 1}, {}, {.pool = true}),
                       doctest::Contains("max_pool: the window of 2 x 2 must fit into the padded image"), Error);
  CHECK_THROWS_WITH_AS(linear(Tensor::zeros({2, 3}), Tensor::zeros({4, 3}), {}, {.pool = true}),
                       doctest::Contains("only a convolution pools in its epilogue; call max_pool()"), Error);
  CHECK_THROWS_WITH_AS(batch_norm(x, one, one, 1e-5f, {.pool = true}),
                       doctest::Contains("only a convolution pools in its epilogue; call max_pool()"), Error);
}

TEST_CASE("moments that are kept with a tensor end with the first write to it") {
  Random random(9);
  const Tensor x = Tensor::normal({4, 8, 8, 16}, random), w = Tensor::normal({16, 3, 3, 16}, random);
  Tensor y = conv2d(x, w, {.padding = 1, .algorithm = ConvAlgorithm::winograd}, {}, {.moments = true});
  REQUIRE(y.storage()->moments);
  const double old = moments(y, 0, y.rows()).mean[0];
  CHECK(moments(reshape(y, {4 * 8 * 8 * 2, 8}), 0, 4 * 8 * 8 * 2).mean.size() == 8);  // another number of channels
  CHECK(moments(y, 0, 3).count == 3);
  y.copy_from(y * real(2) + real(1));
  CHECK(moments(y, 0, y.rows()).mean[0] == doctest::Approx(2 * old + 1).epsilon(1e-6));
}
