#include "core/ops/epilogue.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

// in: the op's two inputs, then a shift and what is added.
Epilogue epilogue(const Inputs& in, bool shift, bool add, bool relu) {
  Epilogue e{.relu = relu};
  if (shift) e.shift = in[2];
  if (add) e.add = in[3];
  return e;
}

}  // namespace

TEST_CASE(
    "what follows a convolution or a product in one pass is what it would be after it, and so are all derivatives") {
  for (const bool shift : {false, true})
    for (const bool add : {false, true})
      for (const bool relu : {false, true}) {
        CAPTURE(shift);
        CAPTURE(add);
        CAPTURE(relu);
        // Winograd's form, with tiles that lie in the image and at its borders; patches; 1x1; few rows, whose columns
        // are cut in two, and many.
        for (const auto& [n, h, c, k, r] : {std::array<int64_t, 5>{1, 14, 16, 16, 3},
                                            {1, 9, 16, 16, 5},
                                            {2, 5, 3, 7, 3},
                                            {2, 3, 5, 4, 1},
                                            {1, 5, 3, 96, 3},
                                            {2, 23, 2, 96, 3}}) {
          const ConvOptions o{.padding = r / 2, .algorithm = c >= 16 ? ConvAlgorithm::winograd : ConvAlgorithm::direct};
          check_definition([&](const Inputs& in) { return conv2d(in[0], in[1], o, epilogue(in, shift, add, relu)); },
                           [&](const Inputs& in) { return epilogue(in, shift, add, relu)(conv2d(in[0], in[1], o)); },
                           {random({n, h, h, c}), random({k, r, r, c}), random({k}), random({n, h, h, k})}, 2, 1e-11);
        }
        // Blocks of the result, and partial sums along a long inner dimension.
        for (const auto& [m, k, n] : {std::array<int64_t, 3>{70, 90, 130}, {8, 5000, 14}})
          check_definition(
              [&](const Inputs& in) { return matmul(in[0], in[1], false, true, epilogue(in, shift, add, relu)); },
              [&](const Inputs& in) { return epilogue(in, shift, add, relu)(matmul(in[0], in[1], false, true)); },
              {random({m, k}), random({n, k}), random({n}), random({m, n})}, 2, 1e-11);
      }
}

TEST_CASE("a scale is done in the same pass where nothing is differentiated, and by ops where something is") {
  const Inputs at{random({2, 6, 6, 3}), random({5, 3, 3, 3}), random({5}), random({5})};
  auto fused = [](const Inputs& in) {
    return conv2d(in[0], in[1], {.padding = 1}, {.scale = in[2], .shift = in[3], .relu = true});
  };
  auto plain = [](const Inputs& in) {
    return relu(add_per_channel(scale_per_channel(conv2d(in[0], in[1], {.padding = 1}), in[2]), in[3]));
  };
  check_definition(fused, plain, at, 2);
  const Recording off(false);
  CHECK(difference(fused(at), plain(at)) < 1e-12);
  CHECK(difference(matmul(random({3, 4}), Tensor::zeros({4, 5}), false, false, {.scale = at[2], .shift = at[3]}),
                   spread_rows(at[3], {3, 5})) == 0);
}

TEST_CASE("an epilogue after a bias takes the bias along") {
  const Tensor v = random({4, 5}), bias = random({5}), scale = random({5}), shift = random({5});
  const Epilogue e{.scale = scale, .shift = shift, .relu = true};
  CHECK(difference(e.after_bias(bias)(v), e(add_per_channel(v, bias))) < 1e-12);
  CHECK(difference(Epilogue{}.after_bias(bias)(v), add_per_channel(v, bias)) == 0);
  CHECK_THROWS_WITH_AS(conv2d(random({1, 3, 3, 2}), random({4, 3, 3, 2}), {}, {.shift = bias}),
                       doctest::Contains("needs one value a channel"), Error);
}
