#include "tests/check_grad.h"

using namespace evenkeel;

TEST_CASE("pooling: derivatives up to order 3") {
  const std::vector<PoolOptions> options = {
      {}, {.size = 3, .stride = 2, .padding = 1}, {.size = 2, .stride = 1}, {.size = 2, .stride = 3, .padding = 1}};
  for (const PoolOptions& o : options) {
    CAPTURE(o.size);
    CAPTURE(o.stride);
    for (const Shape& s : {Shape{2, 4, 6, 3}, Shape{1, 5, 7, 2}}) {
      // The square makes what comes back depend on x too, so that the adjoint is differentiated as well.
      check_grad([o](const Inputs& in) { return square(max_pool(tanh(in[0]), o)); }, {random_distinct(s)}, 3);
      check_grad([o](const Inputs& in) { return avg_pool(tanh(in[0]), o); }, {random(s)}, 3);
    }
  }
  check_grad([](const Inputs& in) { return global_avg_pool(exp(in[0])); }, {random({2, 3, 5, 4})}, 3);
}

TEST_CASE("transpose, gather and scatter: derivatives up to order 3") {
  check_grad([](const Inputs& in) { return transpose(exp(in[0])); }, {random({2, 3})}, 3);
  for (const Shape& s : {Shape{4}, Shape{4, 3}, Shape{4, 2, 3}}) {
    check_grad([](const Inputs& in) { return gather_rows(exp(in[0]), {2, 0, 2, 3, 2}); }, {random(s)}, 3);
    check_grad([](const Inputs& in) { return scatter_rows(exp(in[0]), {5, 1, 5, 0}, 7); }, {random(s)}, 3);
  }
}

TEST_CASE("pad, crop, concat, slice, embed: derivatives up to order 3") {
  const Border border{1, 2, 3, 0};
  check_grad([&](const Inputs& in) { return pad(exp(in[0]), border); }, {random({2, 3, 2, 3})}, 3);
  check_grad([&](const Inputs& in) { return crop(exp(in[0]), border); }, {random({2, 5, 6, 3})}, 3);
  for (const Shape& s : {Shape{5}, Shape{2, 3}, Shape{2, 3, 2, 4}}) {
    check_grad(
        [&](const Inputs& in) {
          return concat_channels({exp(in[0]), in[1], square(in[0])});
        },
        {random(s), random(s)}, 3);
    check_grad([&](const Inputs& in) { return slice_channels(exp(in[0]), 1, 3); }, {random(s)}, 3);
    check_grad([&](const Inputs& in) { return embed_channels(exp(in[0]), 2, 9); }, {random(s)}, 3);
  }
}

TEST_CASE("transpose moves every value of whole tiles and of parts to its place") {
  const Tensor x = random({37, 50}), y = transpose(x);
  int64_t wrong = 0;
  for (int64_t i = 0; i < 37; ++i)
    for (int64_t j = 0; j < 50; ++j) wrong += y.data()[j * 37 + i] != x.data()[i * 50 + j];
  CHECK(wrong == 0);
}
