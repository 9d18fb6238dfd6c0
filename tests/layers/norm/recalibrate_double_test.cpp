#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/recalibrate.h"
#include "tests/check_definition.h"

using namespace evenkeel;

TEST_CASE("population: the moments of all rows, whatever the batches; far from zero too") {
  const Tensor all = random({10, 2}, 1e6, 2);
  Population parts;
  int64_t at = 0;
  for (int64_t rows : {1, 6, 3}) {
    parts.add(Tensor::of({rows, 2}, {all.data() + 2 * at, all.data() + 2 * (at + rows)}));
    at += rows;
  }
  const Normalized whole = batch_norm(all, Tensor::zeros({2}), Tensor::zeros({2}));
  CHECK(parts.rows() == 10);
  CHECK(difference(parts.mean(), whole.mean) < 1e-14);
  CHECK(difference(parts.var(), whole.var) < 1e-10);
}

TEST_CASE("recalibrate: afterwards inference on the whole set is training on it as one batch") {
  for (const char* norm : {"batch:variance=biased", "renorm"}) {
    auto net =
        make_model({.model = "conv:3:3 norm tanh residual(conv:3:3 norm) flatten dense:4 norm tanh dense:classes",
                    .norm = norm,
                    .input = {5, 5, 2},
                    .classes = 3});
    CHECK(running_norms(*net).size() == 3);
    const Tensor x = random({8, 5, 5, 2}, 1, 2);
    recalibrate(*net, [&](const std::function<void(const Tensor&)>& see) {
      for (int64_t i = 0; i < 8; i += 4) see(Tensor::of({4, 5, 5, 2}, {x.data() + i * 50, x.data() + (i + 4) * 50}));
    });
    CHECK(difference(net->forward(x, Mode::eval).detach(), net->forward(x, Mode::probe).detach()) < 1e-12);
  }
}

TEST_CASE("set_statistics: Bessel's factor, the weights, and how many rows the averages stand for") {
  const Tensor mean = random({3}), var = random_positive({3});
  for (const bool unbiased : {true, false}) {
    BatchNorm norm(3, {.unbiased = unbiased});
    norm.forward(random({5, 3}), Mode::train);
    norm.set_statistics(mean, var, 5);
    CHECK(norm.running_mean.values() == mean.values());
    CHECK(difference(norm.running_var, var * (unbiased ? 1.25 : 1)) < 1e-15);
    CHECK(norm.running_weight.item() == 1);
    CHECK(norm.running_rows.item() == 5);
    CHECK(norm.batches.item() == 1);
    CHECK_THROWS_WITH_AS(norm.set_statistics(mean, var, 1), doctest::Contains("at least two rows, got 1"), Error);
  }
  // Renorm's sigma has eps inside its root; its batches go on counting, as r and d widen by them.
  BatchRenorm renorm(3, {.eps = 0.5});
  renorm.forward(random({5, 3}), Mode::train);
  renorm.set_statistics(mean, var, 5);
  CHECK(difference(square(renorm.running_sigma), var + 0.5) < 1e-15);
  CHECK(renorm.running_weight.item() == 1);
  CHECK(renorm.batches.item() == 1);
  const Tensor x = random({4, 3});
  const Tensor expected = batch_norm_inference(x, mean, var, renorm.gamma, renorm.beta, 0.5);
  CHECK(difference(renorm.forward(x, Mode::eval), expected) < 1e-14);
}

TEST_CASE(
    "recalibrate: the norms hold the population's moments, with Bessel's factor; a batch that throws leaves no "
    "watcher") {
  auto net = make_model({.model = "flatten norm dense:classes", .norm = "batch", .input = {1, 1, 3}, .classes = 2});
  auto& norm = dynamic_cast<BatchNorm&>((*net)[1]);
  const Tensor x = random({8, 1, 1, 3}, 1, 2);
  recalibrate(*net, [&](const std::function<void(const Tensor&)>& see) { see(x); });
  const Normalized all = batch_norm(x, norm.gamma, norm.beta);
  CHECK(difference(norm.running_mean, all.mean) < 1e-15);
  CHECK(difference(norm.running_var, all.var * (8.0 / 7)) < 1e-15);
  CHECK(norm.running_weight.item() == 1);
  CHECK(norm.running_rows.item() == 8);
  CHECK_THROWS_AS(recalibrate(*net,
                              [&](const std::function<void(const Tensor&)>& see) {
                                see(random({8, 1, 1, 4}));
                              }),
                  Error);
  CHECK_FALSE(norm.watch);
  const std::vector<real> before = norm.running_mean.values();
  for (const real bad : {real(NAN), real(INFINITY)})
    CHECK_THROWS_WITH_AS(recalibrate(*net,
                                     [&](const std::function<void(const Tensor&)>& see) {
                                       see(Tensor::full({8, 1, 1, 3}, bad));
                                     }),
                         doctest::Contains("the inputs of norm 1 must have a finite mean and variance"), Error);
  CHECK(norm.running_mean.values() == before);
}

TEST_CASE("recalibrated cumulative averages weigh by the rows that they stand for") {
  BatchNorm norm(1, {.cumulative = true, .unbiased = false});
  norm.set_statistics(Tensor::of({1}, {1}), Tensor::of({1}, {1}), 60000);
  norm.forward(Tensor::of({2, 1}, {60002, 60004}), Mode::train);  // mean 60003, two of 60002 rows
  CHECK(norm.running_mean.item() == doctest::Approx(3).epsilon(1e-12));
  CHECK(norm.running_rows.item() == 60002);
  CHECK(norm.batches.item() == 2);
}
