// The running averages: CLAIMS of the bias-corrected exponential average, its variants, and what must never move them.
#include "layers/norm/batch_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/shards.h"
#include "layers/norm/batch_renorm.h"

using namespace evenkeel;

namespace {

// A batch of two rows with mean m and biased variance v in its one channel.
Tensor batch(double m, double v) {
  const double d = std::sqrt(v);
  return Tensor::of({2, 1}, {static_cast<real>(m - d), static_cast<real>(m + d)});
}

}  // namespace

TEST_CASE("after one batch the corrected averages are that batch's statistics") {
  BatchNorm norm(1, {.unbiased = false});
  norm.forward(batch(5, 4), Mode::train);
  CHECK(norm.running_mean.item() == 5);
  CHECK(norm.running_var.item() == 4);
  CHECK(norm.running_weight.item() == doctest::Approx(0.1));
}

TEST_CASE("the corrected average equals r_t / (1 - (1-a)^t) of the average that starts at zero") {
  for (double a : {0.01, 0.1, 0.5, 1.0}) {
    BatchNorm norm(1, {.new_weight = a, .unbiased = false});
    Random random(7);
    double r = 0, q = 0;
    for (int t = 1; t <= 50; ++t) {
      const double m = random.normal(), v = 0.5 + random.uniform();
      norm.forward(batch(m, v), Mode::train);
      r = (1 - a) * r + a * m;
      q = (1 - a) * q + a * v;
      const double weight = 1 - std::pow(1 - a, t);
      CHECK(norm.running_weight.item() == doctest::Approx(weight).epsilon(1e-5));
      CHECK(norm.running_mean.item() == doctest::Approx(r / weight).epsilon(1e-4));
      CHECK(norm.running_var.item() == doctest::Approx(q / weight).epsilon(1e-4));
    }
  }
}

TEST_CASE("the weight stays right when the weight of the new value varies") {
  BatchNorm norm(1, {.unbiased = false});
  double r = 0, missing = 1;
  for (int t = 1; t <= 20; ++t) {
    norm.options.new_weight = 1.0 / (1 + t % 5);
    norm.forward(batch(t, 1), Mode::train);
    r = (1 - norm.options.new_weight) * r + norm.options.new_weight * t;
    missing *= 1 - norm.options.new_weight;
    CHECK(norm.running_mean.item() == doctest::Approx(r / (1 - missing)).epsilon(1e-5));
  }
}

TEST_CASE("the cumulative average is the plain mean of all batches") {
  BatchNorm norm(1, {.cumulative = true, .unbiased = false});
  for (int t = 1; t <= 30; ++t) {
    norm.forward(batch(t, t), Mode::train);
    CHECK(norm.running_mean.item() == doctest::Approx((t + 1) / 2.0).epsilon(1e-5));
    CHECK(norm.running_weight.item() == 1);
  }
}

TEST_CASE("the running variance holds the unbiased variance by default, the normaliser always uses the biased one") {
  const Tensor x = Tensor::of({4, 1}, {1, 2, 3, 4});  // biased 1.25, unbiased 5/3
  BatchNorm unbiased(1), biased(1, {.unbiased = false});
  const Tensor y = unbiased.forward(x, Mode::train);
  CHECK(y.values() == biased.forward(x, Mode::train).values());
  CHECK(y.data()[3] == doctest::Approx(1.5 / std::sqrt(1.25 + 1e-5)).epsilon(1e-6));
  CHECK(unbiased.running_var.item() == doctest::Approx(5.0 / 3));
  CHECK(biased.running_var.item() == doctest::Approx(1.25));
}

TEST_CASE("a batch that is not finite is never averaged") {
  BatchNorm norm(1);
  norm.forward(batch(2, 1), Mode::train);
  for (real bad : {real(NAN), real(INFINITY)}) norm.forward(Tensor::of({2, 1}, {1, bad}), Mode::train);
  norm.forward(Tensor::of({2, 1}, {-1e30f, 1e30f}), Mode::train);  // the mean is, the variance is not
  CHECK(norm.skipped == 3);
  CHECK(norm.running_mean.item() == 2);
  CHECK(norm.running_var.item() == 2);
  CHECK(norm.batches.item() == 1);
}

TEST_CASE("evaluation is one affine map a channel: the batch does not matter, to the bit") {
  Random random(3);
  BatchNorm norm(4);
  const Tensor x = Tensor::normal({10, 4}, random, 3, 2);
  norm.forward(x, Mode::train);
  const Tensor all = norm.forward(x, Mode::eval);
  for (int64_t i = 0; i < 10; ++i) {
    const Tensor row = Tensor::of({1, 4}, {x.data() + 4 * i, x.data() + 4 * i + 4});
    CHECK(norm.forward(row, Mode::eval).values() == std::vector<real>(all.data() + 4 * i, all.data() + 4 * i + 4));
  }
}

TEST_CASE("one value a channel in training is an error that says what to do") {
  BatchNorm norm(3);
  CHECK_THROWS_WITH_AS(norm.forward(Tensor::zeros({1, 3}), Mode::train), doctest::Contains("batch_norm"), Error);
  CHECK(norm.forward(Tensor::zeros({1, 3}), Mode::eval).size() == 3);
  CHECK_THROWS_WITH_AS(BatchNorm(3, {.new_weight = 0}), doctest::Contains("Keras"), Error);
}

TEST_CASE("the cumulative average weighs a batch by its rows: it is the mean of all rows") {
  BatchNorm norm(1, {.cumulative = true, .unbiased = false});
  norm.forward(Tensor::of({6, 1}, {0, 2, 0, 2, 0, 2}), Mode::train);  // mean 1
  norm.forward(batch(9, 1), Mode::train);
  CHECK(norm.running_mean.item() == doctest::Approx(3));
  CHECK(norm.running_rows.item() == 8);
  norm.mask = Tensor::of({4}, {1, 0, 0, 1});
  norm.forward(Tensor::of({4, 1}, {12, 0, 0, 14}), Mode::train);  // two rows that count, of 10
  CHECK(norm.running_mean.item() == doctest::Approx(5));
  // Ghost batches of a batch count together.
  BatchNorm ghost(1, {.cumulative = true, .unbiased = false, .ghost = 2});
  ghost.forward(Tensor::of({6, 1}, {0, 2, 0, 2, 0, 2}), Mode::train);
  ghost.forward(batch(9, 1), Mode::train);
  CHECK(ghost.running_mean.item() == doctest::Approx(3));
  // Rows that nobody counted, as in a file of another program: each of its batches stands for as many as the next one.
  norm.mask = {};
  norm.running_mean.copy_from(Tensor::of({1}, {1}));
  *norm.batches.mutable_data() = 3;
  *norm.running_weight.mutable_data() = *norm.running_rows.mutable_data() = 1;
  norm.forward(batch(9, 1), Mode::train);
  CHECK(norm.running_mean.item() == doctest::Approx(3));
  CHECK(norm.running_rows.item() == 8);
  norm.running_mean.copy_from(Tensor::of({1}, {1}));  // a file that does not count batches either: one
  *norm.batches.mutable_data() = 0;
  *norm.running_rows.mutable_data() = 1;
  norm.forward(batch(9, 1), Mode::train);
  CHECK(norm.running_mean.item() == doctest::Approx(5));
}

TEST_CASE("averages that were written without their weight are refused by the first training step, not dropped") {
  BatchNorm norm(2);
  const Tensor x = Tensor::of({3, 2}, {1, 2, 3, 4, 5, 9});
  norm.running_mean.copy_from(Tensor::of({2}, {0, 5}));
  CHECK(norm.forward(x, Mode::eval).size() == 6);
  CHECK_THROWS_WITH_AS(norm.forward(x, Mode::train), doctest::Contains("set_statistics"), Error);
  CHECK(norm.running_mean.values() == std::vector<real>{0, 5});
  norm.set_statistics(Tensor::of({2}, {0, 5}), Tensor::of({2}, {1, 1}), 100);
  norm.forward(x, Mode::train);
  CHECK(norm.running_mean.data()[1] == doctest::Approx(5));
  BatchRenorm renorm(2);
  renorm.running_sigma.copy_from(Tensor::of({2}, {1, 3}));
  CHECK_THROWS_WITH_AS(renorm.forward(x, Mode::train), doctest::Contains("set_statistics"), Error);
}

TEST_CASE("shards of unequal sizes: local averages weigh by rows; a mask looks at the whole batch, with ghost too") {
  const std::vector<real> x{1, 3, 4, 8, 9};  // shards of 2 and 3 rows
  for (const bool masked : {false, true}) {
    CAPTURE(masked);
    std::vector<BatchNorm> norms(2, BatchNorm(1, {.unbiased = false, .ghost = masked ? 2 : 0, .local = !masked}));
    Shards(2).run(5, [&](int64_t i) {
      const Shard& s = *this_shard();
      BatchNorm& norm = norms[static_cast<size_t>(i)];
      const Tensor part = Tensor::of({s.end - s.begin, 1}, {x.begin() + s.begin, x.begin() + s.end});
      if (masked) norm.mask = Tensor::full({part.size()}, 1);
      norm.forward(part, Mode::train);
    });
    for (const BatchNorm& norm : norms) {
      CHECK(norm.running_mean.item() == doctest::Approx(5));
      CHECK(norm.running_var.item() == doctest::Approx(masked ? 9.2 : (2 * 1 + 14) / 5.0));
      CHECK(norm.running_rows.item() == 5);
    }
  }
}

TEST_CASE("batch norm refuses a mask of other numbers and shapes without values; without gamma nothing is learned") {
  BatchNorm norm(3);
  norm.mask = Tensor::of({2}, {1, 0.5});
  CHECK_THROWS_WITH_AS(norm.forward(Tensor::zeros({2, 3}), Mode::train), doctest::Contains("got 0.5"), Error);
  CHECK_THROWS_WITH_AS(norm.output_shape({0, 4, 3}), doctest::Contains("x must have values in 3 channels"), Error);
  CHECK_FALSE(BatchNorm(3, {.gamma = false}).gamma.tracked());
}
