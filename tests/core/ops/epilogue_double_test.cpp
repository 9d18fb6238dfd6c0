#include "core/ops/epilogue.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

// in: the op's two inputs, then a bias and what is added.
struct Following {
  bool has_bias, has_add;
  After after;
  Tensor bias(const Inputs& in) const { return has_bias ? in[2] : Tensor(); }
  Epilogue then(const Inputs& in) const { return {.add = has_add ? in[3] : Tensor(), .after = after}; }
  Tensor operator()(const Inputs& in, const Tensor& v) const {
    return then(in)(has_bias ? add_per_channel(v, in[2]) : v);
  }
};

}  // namespace

TEST_CASE(
    "what follows a convolution or a product in one pass is what it would be after it, and so are all derivatives") {
  for (const bool bias : {false, true})
    for (const bool add : {false, true})
      for (const After after : {After::nothing, After::relu, After::gelu}) {
        CAPTURE(bias);
        CAPTURE(add);
        CAPTURE(after);
        const Following following{bias, add, after};
        // Winograd's form, with tiles that lie in the image and at its borders; patches; 1x1; few rows, whose columns
        // are cut in two, and many.
        for (const auto& [n, h, c, k, r] : {std::array<int64_t, 5>{1, 14, 16, 16, 3},
                                            {1, 9, 16, 16, 5},
                                            {2, 5, 3, 7, 3},
                                            {2, 3, 5, 4, 1},
                                            {1, 5, 3, 96, 3},
                                            {2, 23, 2, 96, 3}}) {
          const ConvOptions o{.padding = r / 2, .algorithm = c >= 16 ? ConvAlgorithm::winograd : ConvAlgorithm::direct};
          check_definition(
              [&](const Inputs& in) { return conv2d(in[0], in[1], o, following.bias(in), following.then(in)); },
              [&](const Inputs& in) { return following(in, conv2d(in[0], in[1], o)); },
              {random({n, h, h, c}), random({k, r, r, c}), random({k}), random({n, h, h, k})}, 2, 1e-11);
        }
        // Blocks of the result, and partial sums along a long inner dimension.
        for (const auto& [m, k, n] : {std::array<int64_t, 3>{70, 90, 130}, {8, 5000, 14}})
          check_definition(
              [&](const Inputs& in) { return linear(in[0], in[1], following.bias(in), following.then(in)); },
              [&](const Inputs& in) { return following(in, matmul(in[0], in[1], false, true)); },
              {random({m, k}), random({n, k}), random({n}), random({m, n})}, 2, 1e-11);
      }
}

TEST_CASE("a bias has one value a channel, and what is added has the result's shape") {
  const Tensor x = random({3, 2}), w = random({4, 2}), image = random({1, 3, 3, 2}), filters = random({4, 3, 3, 2});
  for (const Shape& wrong : {Shape{5}, Shape{1, 4}, Shape{1}}) {
    const std::string why = " needs a bias of one value a channel, got " + wrong.str(),
                      of_image = "conv2d: a result of shape (1, 1, 1, 4)" + why;
    CHECK_THROWS_WITH_AS(linear(x, w, random(wrong)), ("linear: a result of shape (3, 4)" + why).c_str(), Error);
    CHECK_THROWS_WITH_AS(conv2d(image, filters, {}, random(wrong)), of_image.c_str(), Error);
    CHECK_THROWS_WITH_AS(PreparedFilters(filters, {})(image, random(wrong)), of_image.c_str(), Error);
  }
  CHECK_THROWS_WITH_AS(linear(x, w, {}, {.add = random({4})}),
                       "linear: `add` must have the result's shape (3, 4), got (4)", Error);
  CHECK_THROWS_WITH_AS(conv2d(image, filters, {}, {}, {.add = random({4})}),
                       "conv2d: `add` must have the result's shape (1, 1, 1, 4), got (4)", Error);
  CHECK_THROWS_WITH_AS(linear(x, random({2, 4})), doctest::Contains("linear: inner sizes differ"), Error);
}
