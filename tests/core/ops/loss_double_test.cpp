#include "core/ops/loss.h"
#include "tests/check_definition.h"

using namespace evenkeel;

TEST_CASE("losses: derivatives up to order 3") {
  const Labels labels{2, 0, 4};
  const Inputs logits{random({3, 5})};
  check_grad([](const Inputs& in) { return softmax(in[0]); }, logits, 3);
  check_grad([](const Inputs& in) { return log_softmax(in[0]); }, logits, 3);
  for (real smoothing : {0.0, 0.1, 1.0})
    check_grad([&](const Inputs& in) { return cross_entropy(in[0], labels, smoothing); }, logits, 3);
  check_grad([](const Inputs& in) { return square(mean_squared_error(in[0], in[1])); },
             {random({3, 5}), random({3, 5})}, 3);
  check_grad(
      [](const Inputs& in) {
        Random stream(3);
        return square(dropout(in[0], 0.4, stream));
      },
      logits, 3);
}

TEST_CASE("cross_entropy equals its definition up to the fourth derivative") {
  Labels labels;
  for (int i = 0; i < 4000; ++i) labels.push_back(i * 7 % 10);
  for (int64_t rows : {1, 3, 4000})
    for (real smoothing : {0.0, 0.1}) {
      const Labels some(labels.begin(), labels.begin() + rows);
      check_definition([&](const Inputs& in) { return cross_entropy(in[0], some, smoothing); },
                       [&](const Inputs& in) { return cross_entropy_definition(in[0], some, smoothing); },
                       {random({rows, 10}, 0, 3)});
    }
}

TEST_CASE("cross_entropy: known values") {
  CHECK(cross_entropy(Tensor::zeros({2, 10}), {3, 7}).item() == doctest::Approx(std::log(10.0)).epsilon(1e-15));
  CHECK(cross_entropy(Tensor::zeros({2, 10}), {3, 7}, 0.3).item() == doctest::Approx(std::log(10.0)).epsilon(1e-15));
  CHECK(cross_entropy(Tensor::of({1, 2}, {1, 3}), {0}).item() ==
        doctest::Approx(2 + std::log1p(std::exp(-2.0))).epsilon(1e-15));
  CHECK(mean_squared_error(Tensor::of({3}, {1, 2, 3}), Tensor::of({3}, {1, 4, 0})).item() ==
        doctest::Approx(13.0 / 3).epsilon(1e-15));
}
