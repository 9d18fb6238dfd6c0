#include "core/ops/loss.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "core/base/shards.h"
#include "core/ops/dropout.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

using namespace evenkeel;

TEST_CASE("log_softmax and cross_entropy do not overflow, and pass NaN on") {
  const Tensor x = Tensor::of({3, 3}, {1e4f, 0, -1e4f, 3e38f, 3e38f, -3e38f, -1e4f, -1e4f, -1e4f});
  const Tensor y = log_softmax(x);
  CHECK(y.data()[0] == 0);
  CHECK(y.data()[1] == -1e4f);
  CHECK(y.data()[3] == doctest::Approx(-std::log(2.0)));
  CHECK(y.data()[6] == doctest::Approx(-std::log(3.0)));
  CHECK(cross_entropy(Tensor::of({1, 2}, {1e4f, 0}), {1}).item() == 1e4f);
  for (int64_t at = 0; at < 9; ++at) {
    Tensor bad = Tensor::zeros({3, 3});
    bad.mutable_data()[at] = NAN;
    bad.track();
    const Tensor loss = cross_entropy(bad, {0, 1, 2});
    CHECK(std::isnan(loss.item()));
    const Tensor d = grad(loss, {bad})[0];
    for (int64_t i = 0; i < 9; ++i) CHECK(std::isnan(d.data()[i]) == (i / 3 == at / 3));
  }
}

TEST_CASE("count_correct: of equal logits the first counts, NaN is never right") {
  const Tensor x = Tensor::of({5, 3}, {1, 2, 3, 3, 3, 1, 3, 3, 1, NAN, 0, 1, 5, NAN, 1});
  CHECK(count_correct(x, {2, 0, 1, 2, 0}) == 2);
  CHECK(count_correct(Tensor::zeros({4, 10}), {0, 1, 2, 3}) == 1);
}

TEST_CASE("labels that cannot be are refused, with their row") {
  const Tensor x = Tensor::zeros({3, 4});
  CHECK_THROWS_WITH_AS(cross_entropy(x, {0, 4, 1}), doctest::Contains("labels must be 0 .. 3, that of row 1 is 4"),
                       Error);
  CHECK_THROWS_WITH_AS(cross_entropy(x, {0, 1, -1}), doctest::Contains("that of row 2 is -1"), Error);
  CHECK_THROWS_WITH_AS(count_correct(x, {0, 1}), doctest::Contains("3 rows of logits need as many labels, got 2"),
                       Error);
  CHECK_THROWS_WITH_AS(cross_entropy(Tensor::zeros({0, 4}), {}),
                       doctest::Contains("logits must be (rows, classes), got (0, 4)"), Error);
  for (const auto loss : {cross_entropy, cross_entropy_definition})
    for (const real smoothing : {real(-0.1), real(1.5), real(NAN)})
      CHECK_THROWS_WITH_AS(loss(x, {0, 1, 2}, smoothing), doctest::Contains("smoothing must be in [0, 1], got"), Error);
  CHECK_THROWS_WITH_AS(mean_squared_error(x, Tensor::zeros({4, 3})), doctest::Contains("shapes must agree"), Error);
}

TEST_CASE("dropout keeps 1 - p of the elements, scaled to keep the mean, and draws one number for two") {
  for (real p : {0.1f, 0.5f, 0.9f}) {
    Random random(1);
    const int64_t n = 200001;
    Tensor x = Tensor::full({n}, 3).track();
    const Tensor y = dropout(x, p, random);
    int64_t kept = 0;
    for (real v : y.values()) {
      CHECK_UNARY(v == 0 || v == 3 * (1 / (1 - p)));
      kept += v != 0;
    }
    const double deviation = std::sqrt(p * (1 - p) * static_cast<double>(n));
    CHECK(std::abs(static_cast<double>(kept) - (1 - p) * static_cast<double>(n)) < 4 * deviation);
    CHECK(random.counter() == 100001);
    const Tensor d = grad(sum(y), {x})[0];
    for (int64_t i = 0; i < n; ++i) CHECK_UNARY(d.data()[i] * 3 == y.data()[i]);
    CHECK(dropout(x, p, random).values() != y.values());
  }
  Random random(1);
  const Tensor x = Tensor::full({7}, 2);
  CHECK(dropout(x, 0, random).values() == x.values());
  CHECK(random.counter() == 0);
  CHECK_THROWS_WITH_AS(dropout(x, 1, random), doctest::Contains("p must be in [0, 1), got 1"), Error);
}

TEST_CASE("dropout: elements 2i and 2i + 1 take the low and the high half of number i of the stream") {
  for (const int64_t n : {1, 2, 7, 70001}) {
    Random random(3), stream(3);
    const Tensor x = Tensor::full({n}, 1), y = dropout(x, 0.25f, random);
    std::vector<real> expected;
    for (int64_t i = 0; i < n; i += 2) {
      const uint64_t bits = stream.bits();
      for (const uint64_t half : {bits & 0xffffffff, bits >> 32}) expected.push_back(half < (1u << 30) ? 0 : 1 / 0.75f);
    }
    expected.resize(static_cast<size_t>(n));
    CHECK(y.values() == expected);
  }
}

TEST_CASE("dropout: shards of any sizes have the elements of the whole batch, and leave the stream where it does") {
  for (const int64_t each : {1, 2, 3, 5}) {
    Random random(4);
    const std::vector<real> whole = dropout(Tensor::full({5, each}, 1), 0.5f, random).values();
    std::vector<real> parts;
    Shards(3).run(5, [&](int64_t) {
      Random same(4);
      const Tensor y = dropout(Tensor::full({this_shard()->end - this_shard()->begin, each}, 1), 0.5f, same);
      parts.insert(parts.end(), y.data(), y.data() + y.size());
      CHECK(same.counter() == random.counter());
    });
    CHECK(parts == whole);
  }
}

TEST_CASE("an impossible class has no part in the loss, nor in the gradient") {
  const real never = -std::numeric_limits<real>::infinity();
  const Tensor x = Tensor::of({2, 3}, {1, never, 2, never, 0, 3}).track(),
               two = Tensor::of({2, 2}, {1, 2, 0, 3}).track();
  const Tensor loss = cross_entropy(x, {2, 1}), expected = cross_entropy(two, {1, 0});
  CHECK(loss.item() == expected.item());
  const std::vector<real> d = grad(loss, {x})[0].values(), of_two = grad(expected, {two})[0].values();
  CHECK(d == std::vector<real>{of_two[0], 0, of_two[1], 0, of_two[2], of_two[3]});

  const Tensor by_definition = cross_entropy_definition(x, {2, 1});
  CHECK(by_definition.item() == doctest::Approx(loss.item()).epsilon(1e-6));
  const auto second = [](const Tensor& of, const Tensor& by) {  // of the gradient's squared norm
    const Tensor g = grad(of, {by}, {.differentiable = true})[0];
    return grad(dot(g, g), {by})[0].values();
  };
  const std::vector<real> h = second(by_definition, x), h_of_two = second(expected, two);
  CHECK(h[1] == 0);
  CHECK(h[3] == 0);
  const size_t places[] = {0, 2, 4, 5};
  for (size_t i = 0; i < 4; ++i) CHECK(h[places[i]] == doctest::Approx(h_of_two[i]).epsilon(1e-5));
}

TEST_CASE("softmax finds the largest of a thousand classes wherever it is") {
  for (int64_t at = 0; at < 1000; ++at) {
    Tensor x = Tensor::full({1, 1000}, -1e30f);
    x.mutable_data()[at] = 3e38f;
    CHECK(softmax(x).data()[at] == 1);
    CHECK(cross_entropy(x, {static_cast<int32_t>(at)}).item() == 0);
  }
  for (const int64_t classes : {2048, 2049, 5000}) {
    const Tensor same = Tensor::zeros({3, classes});
    CHECK(cross_entropy(same, {0, 7, 2047}).item() == doctest::Approx(std::log(static_cast<double>(classes))));
    CHECK(softmax(same).data()[2 * classes] == doctest::Approx(1 / static_cast<double>(classes)));
  }
}

TEST_CASE("losses and dropout: the same bits for any number of threads, and nothing read that was not written") {
  auto results = [] {
    Random random(4);
    Tensor x = Tensor::normal({7001, 11}, random).track();
    Labels labels;
    for (int i = 0; i < 7001; ++i) labels.push_back(i % 11);
    const Tensor loss = cross_entropy(dropout(x, real(0.3), random), labels, real(0.1)) + sum(square(log_softmax(x))) +
                        mean_squared_error(x, softmax(x));
    std::vector<real> all = grad(loss, {x})[0].values();
    all.push_back(loss.item());
    return all;
  };
  const int before = threads();
  set_threads(1);
  const std::vector<real> expected = results();
  for (int n : {2, 3, 8}) {
    set_threads(n);
    CHECK(results() == expected);
  }
  set_threads(before);
  poison_memory(true);
  CHECK(results() == expected);
  poison_memory(false);
}
