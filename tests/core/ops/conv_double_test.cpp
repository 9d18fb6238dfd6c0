#include "tests/check_grad.h"
#include "tests/conv_golden.h"

using namespace evenkeel;

namespace {

struct Case {
  Shape x, w;
  ConvOptions options;
};
const std::vector<Case> cases = {{{2, 5, 4, 3}, {2, 3, 3, 3}, {.stride = 1, .padding = 1}},
                                 {{2, 6, 7, 2}, {3, 3, 3, 2}, {.stride = 2, .padding = 1}},
                                 {{1, 7, 6, 2}, {2, 5, 5, 2}, {.stride = 1, .padding = 2}},
                                 {{3, 4, 4, 3}, {5, 1, 1, 3}, {.stride = 1, .padding = 0}},
                                 {{2, 5, 5, 2}, {2, 1, 1, 2}, {.stride = 2, .padding = 0}},
                                 {{1, 5, 7, 1}, {2, 2, 3, 1}, {.stride = 3, .padding = 2}},
                                 {{1, 2, 2, 2}, {2, 3, 3, 2}, {.stride = 1, .padding = 3}},
                                 {{1, 6, 6, 1}, {1, 2, 2, 1}, {.stride = 3, .padding = 0}},
                                 {{2, 5, 4, 6}, {4, 3, 3, 3}, {.padding = 1, .groups = 2}},
                                 {{2, 6, 5, 3}, {6, 3, 2, 1}, {.stride = 2, .padding = 1, .groups = 3}},
                                 {{1, 3, 4, 4}, {4, 1, 1, 2}, {.groups = 2}},
                                 {{2, 5, 4, 5}, {5, 3, 3, 1}, {.padding = 1, .groups = 5}},
                                 {{2, 7, 6, 9}, {9, 3, 5, 1}, {.stride = 2, .padding = 3, .groups = 9}}};

// The definition, read off the header.
Tensor naive(const Tensor& x, const Tensor& w, const ConvOptions& o) {
  const int64_t h = x.dim(1), width = x.dim(2), c = x.dim(3), k = w.dim(0), r = w.dim(1), s = w.dim(2);
  Tensor y =
      Tensor::zeros({x.dim(0), (h + 2 * o.padding - r) / o.stride + 1, (width + 2 * o.padding - s) / o.stride + 1, k});
  real* out = y.mutable_data();
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t p = 0; p < y.dim(1); ++p)
      for (int64_t q = 0; q < y.dim(2); ++q)
        for (int64_t f = 0; f < k; ++f, ++out)
          for (int64_t i = 0; i < r; ++i)
            for (int64_t j = 0; j < s; ++j) {
              const int64_t first = f / (k / o.groups) * w.dim(3);  // channel of the group
              const int64_t row = p * o.stride + i - o.padding, column = q * o.stride + j - o.padding;
              if (row < 0 || row >= h || column < 0 || column >= width) continue;
              for (int64_t ch = 0; ch < w.dim(3); ++ch)
                *out += x.data()[((n * h + row) * width + column) * c + first + ch] *
                        w.data()[((f * r + i) * s + j) * w.dim(3) + ch];
            }
  return y;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double d = 0;
  for (int64_t i = 0; i < a.size(); ++i) d = std::max(d, std::abs(a.data()[i] - b.data()[i]));
  return d;
}

}  // namespace

TEST_CASE("conv2d and its adjoints: derivatives up to order 3") {
  for (const Case& c : cases) {
    CAPTURE(c.x.str());
    CAPTURE(c.w.str());
    const ConvOptions o = c.options;
    check_grad([o](const Inputs& in) { return conv2d(in[0], in[1], o); }, {random(c.x), random(c.w)}, 3);
    const Shape y = conv2d(random(c.x), random(c.w), o).shape();
    check_grad([&](const Inputs& in) { return conv2d_dx(in[0], in[1], c.x, o); }, {random(y), random(c.w)}, 3);
    check_grad([&](const Inputs& in) { return conv2d_dw(in[0], in[1], c.w, o); }, {random(c.x), random(y)}, 3);
    check_grad([o](const Inputs& in) { return conv2d(square(in[0]), tanh(in[1]), o); }, {random(c.x), random(c.w)}, 3);
  }
}

namespace {

void check_against_naive(const Shape& x_shape, const Shape& w_shape, const ConvOptions& o) {
  const Tensor x = random(x_shape), w = random(w_shape), y = conv2d(x, w, o), g = random(y.shape());
  CAPTURE(x.shape().str());
  CAPTURE(w.shape().str());
  CAPTURE(o.stride);
  CAPTURE(o.padding);
  CHECK(largest_difference(y, naive(x, w, o)) < 1e-11);
  const double expected = dot(y, g).item();
  CHECK(dot(x, conv2d_dx(g, w, x.shape(), o)).item() == doctest::Approx(expected).epsilon(1e-10));
  CHECK(dot(w, conv2d_dw(x, g, w.shape(), o)).item() == doctest::Approx(expected).epsilon(1e-10));
}

}  // namespace

TEST_CASE("conv2d equals the naive loop, and <conv(x, w), g> = <x, dx(g, w)> = <w, dw(x, g)>, over random shapes") {
  Random draw(7);
  auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(draw.uniform() * static_cast<double>(high - low + 1));
  };
  for (int i = 0; i < 150; ++i) {
    const bool large = i % 10 == 0;  // several bands
    const int64_t c = between(1, large ? 24 : 5), r = between(1, 5), s = between(1, 5);
    const ConvOptions o{.stride = between(1, 3), .padding = between(0, 3)};
    const Shape x_shape{between(1, large ? 7 : 3), std::max(r - 2 * o.padding, between(1, large ? 40 : 9)),
                        std::max(s - 2 * o.padding, between(1, large ? 20 : 9)), c};
    check_against_naive(x_shape, {between(1, large ? 20 : 5), r, s, c}, o);
    const ConvOptions grouped{.stride = o.stride, .padding = o.padding, .groups = between(2, 4)},
        depthwise{.stride = o.stride, .padding = o.padding, .groups = between(2, 40)};
    check_against_naive(x_shape.with_channels(grouped.groups * c), {grouped.groups * between(1, 4), r, s, c}, grouped);
    check_against_naive(x_shape.with_channels(depthwise.groups), {depthwise.groups, r, s, 1}, depthwise);
  }
  check_against_naive({24, 16, 16, 40}, {3, 5, 5, 40}, {.padding = 2});  // several groups of several bands
}

TEST_CASE("Winograd's form: derivatives up to order 3, and the direct form's values, over odd sizes and paddings") {
  const ConvAlgorithm winograd = ConvAlgorithm::winograd, direct = ConvAlgorithm::direct;
  Random draw(8);
  auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(draw.uniform() * static_cast<double>(high - low + 1));
  };
  for (int i = 0; i < 40; ++i) {
    const int64_t r = i % 2 ? 3 : 5, padding = between(0, r + 1);
    const int64_t least = std::max<int64_t>(1, r + 1 - 2 * padding);
    const Shape x_shape{between(1, 9), between(least, 17), between(least, 17), between(16, 40)};
    const Tensor x = random(x_shape), w = random({between(16, 40), r, r, x_shape[3]});
    const ConvOptions a{.padding = padding, .algorithm = winograd}, b{.padding = padding, .algorithm = direct};
    CAPTURE(x.shape().str());
    CAPTURE(w.shape().str());
    CAPTURE(padding);
    const Tensor y = conv2d(x, w, a), g = random(y.shape());
    CHECK(largest_difference(y, conv2d(x, w, b)) < 1e-10);
    CHECK(largest_difference(PreparedFilters(w, {.padding = padding})(x), y) < 1e-10);  // small tiles too
    CHECK(largest_difference(conv2d_dx(g, w, x_shape, a), conv2d_dx(g, w, x_shape, b)) < 1e-10);
    CHECK(largest_difference(conv2d_dw(x, g, w.shape(), a), conv2d_dw(x, g, w.shape(), b)) < 1e-9);
  }
  // A result so large that it is written past the caches, with what follows too.
  const Tensor x = random({2, 134, 130, 17}), w = random({16, 3, 3, 17}), b = random({16});
  for (const Tensor& bias : {Tensor(), b}) {
    const After after = bias.defined() ? After::relu : After::nothing;
    CHECK(largest_difference(conv2d(x, w, {.padding = 1, .algorithm = winograd}, bias, {.after = after}),
                             conv2d(x, w, {.padding = 1, .algorithm = direct}, bias, {.after = after})) < 1e-10);
  }
  for (int64_t r : {3, 5})
    check_grad([&](const Inputs& in) { return conv2d(tanh(in[0]), in[1], {.padding = 1, .algorithm = winograd}); },
               {random({2, 5, 7, 17}), random({16, r, r, 17})}, 3);
}

TEST_CASE("pooling in a convolution's epilogue: derivatives up to order 3") {
  for (const After after : {After::nothing, After::relu})
    check_grad(
        [&](const Inputs& in) {
          return conv2d(tanh(in[0]), in[1], {.padding = 1, .algorithm = ConvAlgorithm::winograd}, in[2],
                        {.after = after, .pool = true});
        },
        {random({2, 5, 7, 17}), random({16, 3, 3, 17}), random({16})}, 3);
}

TEST_CASE("groups: Winograd's form in each group, and what groups must be") {
  const ConvOptions direct{.padding = 1, .groups = 2, .algorithm = ConvAlgorithm::direct},
      winograd{.padding = 1, .groups = 2, .algorithm = ConvAlgorithm::winograd};
  const Tensor x = random({2, 9, 8, 36}), w = random({34, 3, 3, 18}), g = random({2, 9, 8, 34}), b = random({34});
  for (const Tensor& bias : {Tensor(), b}) {
    const Epilogue then{.after = bias.defined() ? After::relu : After::nothing};
    const Tensor expected = conv2d(x, w, direct, bias, then);
    CHECK(largest_difference(conv2d(x, w, winograd, bias, then), expected) < 1e-10);
    for (const ConvAlgorithm algorithm : {ConvAlgorithm::winograd, ConvAlgorithm::automatic})
      CHECK(largest_difference(PreparedFilters(w, {.padding = 1, .groups = 2, .algorithm = algorithm})(x, bias, then),
                               expected) < 1e-10);
  }
  CHECK(largest_difference(conv2d_dx(g, w, x.shape(), winograd), conv2d_dx(g, w, x.shape(), direct)) < 1e-10);
  CHECK(largest_difference(conv2d_dw(x, g, w.shape(), winograd), conv2d_dw(x, g, w.shape(), direct)) < 1e-9);
  const auto refusal = [](const Shape& x_shape, const Shape& w_shape, int64_t groups) -> std::string {
    try {
      conv2d_shape(x_shape, w_shape, {.groups = groups});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string must = "conv2d: the groups must divide channels and filters, got ";
  CHECK(refusal({1, 4, 4, 6}, {6, 1, 1, 2}, 4) == must + "4 groups, 6 channels and 6 filters");
  CHECK(refusal({1, 4, 4, 6}, {4, 1, 1, 2}, 3) == must + "3 groups, 6 channels and 4 filters");
  CHECK(refusal({1, 4, 4, 6}, {6, 1, 1, 6}, 0) == must + "0 groups, 6 channels and 6 filters");
  CHECK(refusal({1, 4, 4, 6}, {6, 1, 1, 6}, 2) ==
        "conv2d: x (1, 4, 4, 6) has 6 channels, w (6, 1, 1, 6) expects 12; the last axis has the channels, as "
        "to_channels_last() leaves them");
  CHECK(conv2d_shape({0, 4, 4, 0}, {0, 3, 3, 0}, {.groups = 5}) == Shape{0, 2, 2, 0});
}

TEST_CASE("conv2d and pooling equal PyTorch's to 1e-10") { check_conv_golden(1e-10); }
