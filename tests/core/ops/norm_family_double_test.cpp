// The relatives of batch norm as layers, and what makes them relatives.
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/group_norm.h"
#include "layers/norm/layer_norm.h"
#include "tests/check_definition.h"
#include "tests/check_layer.h"

using namespace evenkeel;

namespace {

Tensor rows_of(const Tensor& x, int64_t begin, int64_t end) {
  Shape s{end - begin};
  for (int axis = 1; axis < x.shape().rank(); ++axis) s.push_back(x.dim(axis));
  const int64_t each = x.size() / x.dim(0);
  return Tensor::of(s, {x.data() + begin * each, x.data() + end * each});
}

}  // namespace

TEST_CASE("the family: gradients, names, copies, saving, modes") {
  check_layer(BatchNorm(3, {.frozen = true}), Shape{6, 3});
  check_layer(BatchNorm(3, {.ghost = 3}), Shape{7, 3});  // 7 is prime: one part
  check_layer(BatchNorm(3, {.ghost = 3}), Shape{6, 3});
  check_layer(BatchNorm(2, {.affine = false, .ghost = 2}), Shape{4, 2, 3, 2});
  BatchNorm masked(3);
  masked.mask = Tensor::of({6}, {1, 0, 1, 1, 0, 1});
  check_layer(masked, Shape{6, 3});
  check_layer(BatchRenorm(3), Shape{6, 3});  // the first 5000 steps: r = 1, d = 0
  check_layer(GroupNorm(4, 2), Shape{3, 4});
  check_layer(GroupNorm(6, 3), Shape{2, 3, 2, 6});
  check_layer(InstanceNorm(3), Shape{2, 3, 2, 3});
}

TEST_CASE("frozen: the running averages normalise in training too, and do not move") {
  BatchNorm norm(3, {.frozen = true});
  const Tensor mean = random({3}), var = random_positive({3}), x = random({5, 3});
  norm.set_statistics(mean, var, 100);
  const Tensor y = norm.forward(x, Mode::train);
  CHECK(y.values() == norm.forward(x, Mode::eval).values());
  CHECK(norm.running_mean.values() == mean.values());
  for (const Tensor& g : grad(mean_squared_error(y, random({5, 3})), {norm.gamma, norm.beta}))
    CHECK(std::abs(g.data()[0]) > 0);
}

TEST_CASE("ghost batches: each part is a batch norm of its own; the averages take the parts' mean") {
  BatchNorm ghost(3, {.ghost = 2});
  const Tensor x = random({6, 2, 3}, 1, 2);
  const Tensor y = ghost.forward(x, Mode::train);
  std::vector<real> mean(3), var(3);
  for (int64_t p = 0; p < 3; ++p) {
    const Normalized part = batch_norm(rows_of(x, 2 * p, 2 * p + 2), ghost.gamma, ghost.beta);
    CHECK(difference(rows_of(y, 2 * p, 2 * p + 2), part.y.detach()) < 1e-14);
    for (size_t c = 0; c < 3; ++c)
      mean[c] += part.mean.data()[c] / 3, var[c] += part.var.data()[c] / 3 * 4 / 3;  // 4 rows: Bessel 4/3
  }
  CHECK(difference(ghost.running_mean, Tensor::of({3}, mean)) < 1e-14);
  CHECK(difference(ghost.running_var, Tensor::of({3}, var)) < 1e-14);
  // No part is smaller than asked for: 5 examples in parts of at least 2 are one batch.
  const Tensor five = random({5, 3});
  CHECK(ghost.forward(five, Mode::probe).values() == batch_norm(five, ghost.gamma, ghost.beta).y.values());
}

TEST_CASE("masked statistics: those of the rows that count, whatever the others hold") {
  BatchNorm masked(2), plain(2);
  const Tensor x = random({3, 2}), padded = Tensor::of({5, 2}, {x.data()[0], x.data()[1], 50, -70, x.data()[2],
                                                                x.data()[3], x.data()[4], x.data()[5], 0, 0});
  masked.mask = Tensor::of({5}, {1, 0, 1, 1, 0});
  const Tensor y = masked.forward(padded, Mode::train), expected = plain.forward(x, Mode::train);
  const int64_t rows[] = {0, 2, 3};
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t c = 0; c < 2; ++c)
      CHECK(y.data()[rows[i] * 2 + c] == doctest::Approx(expected.data()[i * 2 + c]).epsilon(1e-13));
  CHECK(difference(masked.running_mean, plain.running_mean) < 1e-14);
  CHECK(difference(masked.running_var, plain.running_var) < 1e-14);
  masked.mask = Tensor::of({3}, {1, 1, 1});
  CHECK_THROWS_WITH_AS(masked.forward(padded, Mode::train), doctest::Contains("each of the 5 rows"), Error);
  masked.mask = Tensor::of({5}, {1, 0, 0, 0, 0});
  CHECK_THROWS_WITH_AS(masked.forward(padded, Mode::train),
                       doctest::Contains("the mask must leave at least two rows of the batch, got 1"), Error);
}

TEST_CASE("batch renorm: without clipping it computes what inference does, with another gradient") {
  BatchRenorm norm(3, {.r_max = 1e6, .d_max = 1e6, .start = 0, .r_end = 0, .d_end = 0});
  const Tensor mean = random({3}), var = random_positive({3});
  norm.set_statistics(mean, var, 100);
  norm.gamma = Owned(random({3}).track());
  Tensor x = random({7, 3}, 1, 2).track();
  const Tensor y = norm.forward(x, Mode::probe), g = random({7, 3});
  CHECK(difference(y.detach(), norm.forward(x, Mode::eval).detach()) < 1e-13);
  // J = gamma / sigma (P - xhat xhat' / m): batch norm's, with the running sigma in place of the batch's.
  const Tensor sigma = norm.running_sigma;
  const Tensor through_batch = grad(batch_norm(x, norm.gamma, norm.beta).y, {x}, {.cotangent = g})[0].detach();
  const Tensor batch_sigma = sqrt(batch_norm(x.detach(), norm.gamma, norm.beta).var + real(1e-5));
  CHECK(difference(grad(y, {x}, {.cotangent = g})[0].detach(), scale_per_channel(through_batch, batch_sigma / sigma)) <
        1e-13);
}

TEST_CASE("batch renorm: with r = 1 and d = 0 it is batch norm, to the bit") {
  BatchRenorm renorm(3);
  BatchNorm norm(3, {.new_weight = 0.01});
  for (int t = 0; t < 3; ++t) {
    Tensor x = random({6, 3}, 1, 2).track();
    const Tensor a = renorm.forward(x, Mode::train), b = norm.forward(x, Mode::train), g = random({6, 3});
    CHECK(a.values() == b.values());
    CHECK(grad(a, {x}, {.cotangent = g})[0].values() == grad(b, {x}, {.cotangent = g})[0].values());
    CHECK(renorm.running_mean.values() == norm.running_mean.values());
  }
}

TEST_CASE("batch renorm: clipping, its schedule, and the average of sigma, not of the variance") {
  BatchRenorm norm(1, {.new_weight = 0.5, .r_max = 3, .d_max = 5, .start = 2, .r_end = 6, .d_end = 4});
  const double expected[][2] = {{1, 0}, {1, 0}, {1, 0}, {1.5, 2.5}, {2, 5}, {2.5, 5}, {3, 5}, {3, 5}};
  for (const auto& e : expected) {
    CHECK(norm.r_limit() == doctest::Approx(e[0]));
    CHECK(norm.d_limit() == doctest::Approx(e[1]));
    norm.forward(Tensor::of({2, 1}, {-1, 1}), Mode::train);  // mean 0, sigma 1
  }
  // A batch ten times as wide and far away: r is clipped to 3, d to 5.
  const Tensor y = norm.forward(Tensor::of({2, 1}, {90, 110}), Mode::probe);
  CHECK(y.data()[0] == doctest::Approx(-3 + 5).epsilon(1e-5));
  CHECK(y.data()[1] == doctest::Approx(3 + 5).epsilon(1e-5));
  BatchRenorm two(1, {.eps = 1e-12, .new_weight = 0.5});
  two.forward(Tensor::of({2, 1}, {-1, 1}), Mode::train);
  two.forward(Tensor::of({2, 1}, {-4, 4}), Mode::train);                // weights 1/3 and 2/3
  CHECK(two.running_sigma.item() == doctest::Approx(3).epsilon(1e-9));  // the variance's average would give sqrt(11)
  two.forward(Tensor::of({2, 1}, {INFINITY, 0}), Mode::train);
  CHECK(two.skipped == 1);
  CHECK(two.running_sigma.item() == doctest::Approx(3).epsilon(1e-9));
}

TEST_CASE("one standardisation over four index sets") {
  const Tensor x = random({3, 4, 4, 6}, 1, 2), one = random({1, 4, 4, 6});
  CHECK(GroupNorm(6, 1).forward(x, Mode::train).values() == LayerNorm(6).forward(x, Mode::train).values());
  CHECK(GroupNorm(6, 6).forward(x, Mode::train).values() == InstanceNorm(6).forward(x, Mode::train).values());
  CHECK(difference(BatchNorm(6).forward(one, Mode::train).detach(),
                   InstanceNorm(6).forward(one, Mode::train).detach()) < 1e-14);
  CHECK(difference(BatchNorm(6, {.ghost = 1}).forward(x, Mode::train).detach(),
                   InstanceNorm(6).forward(x, Mode::train).detach()) < 1e-14);
  CHECK_THROWS_WITH_AS(InstanceNorm(6).forward(random({3, 6}), Mode::train), doctest::Contains("one value per group"),
                       Error);
  CHECK_THROWS_WITH_AS(GroupNorm(6, 4), doctest::Contains("groups of one size"), Error);
}

TEST_CASE("batch renorm: the first batch sets the averages; eps stands inside sigma's root, in every mode") {
  BatchRenorm norm(1, {.eps = 0.5625, .r_max = 100, .d_max = 100, .start = 0, .r_end = 0, .d_end = 0});
  const Tensor first = Tensor::of({2, 1}, {-1, 1}), second = Tensor::of({2, 1}, {3, 5});     // mean 0 and 4, variance 1
  CHECK(norm.forward(first, Mode::train).data()[1] == doctest::Approx(0.8).epsilon(1e-15));  // r = 1, d = 0
  CHECK(norm.running_mean.item() == 0);
  CHECK(norm.running_sigma.item() == doctest::Approx(1.25).epsilon(1e-15));  // sqrt(1 + 9 / 16)
  CHECK(norm.running_weight.item() == doctest::Approx(0.01));
  CHECK(norm.batches.item() == 1);
  CHECK(norm.forward(second, Mode::probe).data()[1] == doctest::Approx(4).epsilon(1e-14));  // r = 1, d = 4 / 1.25
  CHECK(norm.forward(second, Mode::eval).data()[1] == doctest::Approx(4).epsilon(1e-14));
  CHECK(norm.statistics().var.item() == doctest::Approx(1.5625).epsilon(1e-15));
  norm.forward(second, Mode::train);  // weights 0.99 and 1 of 1.99
  CHECK(norm.running_mean.item() == doctest::Approx(4 / 1.99).epsilon(1e-14));
  CHECK(norm.running_sigma.item() == doctest::Approx(1.25).epsilon(1e-14));
  CHECK(norm.running_weight.item() == doctest::Approx(0.0199).epsilon(1e-14));
}
