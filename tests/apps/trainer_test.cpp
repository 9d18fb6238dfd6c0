#include "apps/trainer/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "apps/trainer/evaluate.h"
#include "core/base/parallel.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/pooling.h"
#include "optim/adamw.h"
#include "optim/clip.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

Sequential small_network() {
  Random random(3);
  return Sequential{Dense(4, 6, random, false), BatchNorm(6), Dense(6, 3, random)};
}

Batch small_batch(uint64_t seed) {
  Random random(seed);
  Batch batch{Tensor::normal({8, 4}, random), {}};
  for (int i = 0; i < 8; ++i) batch.labels.push_back(static_cast<int32_t>(random.below(3)));
  return batch;
}

std::vector<std::vector<real>> weights(Sequential& network) {
  std::vector<std::vector<real>> all;
  for (const Parameter& p : parameters(network)) all.push_back(p.value.values());
  return all;
}

}  // namespace

TEST_CASE("trainer: a step is forward, backward, clipping and an update with the schedule's rate, to the bit") {
  const Schedule schedule{.kind = Schedule::Kind::cosine, .lr = 0.3, .steps = 5, .warmup = 2};
  Sequential by_trainer = small_network(), by_hand = small_network();
  Sgd sgd(parameters(by_trainer), {.lr = 1, .momentum = real(0.9)}),
      own(parameters(by_hand), {.lr = 1, .momentum = real(0.9)});
  Trainer trainer(by_trainer, sgd, schedule, real(0.1));
  trainer.before_update = [](const StepResult&, Grads& g) { clip_by_global_norm(g, 0.2); };
  for (int64_t t = 0; t < 5; ++t) {
    const Batch batch = small_batch(static_cast<uint64_t>(t));
    const StepResult result = trainer.step(batch);
    const Tensor logits = by_hand.forward(batch.x, Mode::train), loss = cross_entropy(logits, batch.labels, real(0.1));
    CHECK(result.loss == loss.item());
    CHECK(result.correct == count_correct(logits, batch.labels));
    CHECK(result.count == 8);
    Grads gradients = grad(loss, values(parameters(by_hand)));
    clip_by_global_norm(gradients, 0.2);
    own.set_lr(static_cast<real>(schedule.at(t)));
    own.step(gradients);
    CHECK(weights(by_trainer) == weights(by_hand));
    CHECK(trainer.steps == t + 1);
  }
}

TEST_CASE("trainer: any optimiser; ten steps on one batch lower its loss") {
  Sequential network = small_network();
  AdamW adamw(parameters(network));
  Trainer trainer(network, adamw, {.lr = 0.01});
  const double before = trainer.step(small_batch(1)).loss;
  for (int i = 0; i < 10; ++i) trainer.step(small_batch(1));
  CHECK(trainer.step(small_batch(1)).loss < before);
}

TEST_CASE("trainer: a loss that is not finite names the layer, and updates nothing") {
  Sequential network = small_network();
  Sgd sgd(parameters(network), {.lr = 1});
  Trainer trainer(network, sgd, {.lr = 1});
  const auto before = weights(network);
  Tensor last = parameters(network).back().value;
  last.mutable_data()[0] = std::numeric_limits<real>::infinity();
  CHECK_THROWS_WITH_AS(trainer.step(small_batch(1)),
                       doctest::Contains("the first whose output is not finite is layer 2"), Error);
  last.mutable_data()[0] = before.back()[0];
  CHECK(weights(network) == before);
  CHECK(trainer.steps == 0);
}

TEST_CASE("evaluate: several views of an image weigh in its logits") {
  // One output a pixel of a 3x3 image: the logits are the pixels themselves.
  Dataset data{.name = "pixels", .image = {3, 3, 1}, .classes = 9, .flips = true};
  data.labels = {0, 8};
  for (int i = 0; i < 18; ++i) data.pixels.push_back(static_cast<uint8_t>(i < 9 ? 10 * i : 5 * i + i * i % 7));
  Flatten network;
  const Normalization plain{{0}, {1}};
  const auto pixel = [&](int64_t image, int64_t y, int64_t x) {
    const int64_t turned[] = {1, 0, 1, 2, 1};  // places -1 to 3, mirrored at the border
    return static_cast<double>(data.pixels[static_cast<size_t>(image * 9 + turned[y + 1] * 3 + turned[x + 1])]);
  };
  for (const bool mirrored : {false, true}) {
    const Views views = test_views(mirrored);
    CHECK(views.size() == (mirrored ? 6 : 3));
    int64_t seen = 0;
    evaluate(
        network, data, plain, 1, [](double) { return true; },
        [&](const Tensor& logits, const Labels&) {
          for (int64_t j = 0; j < 9; ++j) {
            const int64_t y = j / 3, x = j % 3;
            double expected = 0;
            for (const int64_t flip : {0, 1}) {
              const int64_t u = flip ? 2 - x : x;
              const double part =
                  0.5 * pixel(seen, y, u) + 0.25 * pixel(seen, y - 1, u - 1) + 0.25 * pixel(seen, y + 1, u + 1);
              expected += mirrored ? part / 2 : flip ? 0 : part;
            }
            CHECK(logits.data()[j] == doctest::Approx(expected));
          }
          ++seen;
        },
        views);
    CHECK(seen == 2);
  }
  evaluate(
      network, data, plain, 2, [](double) { return true; },
      [&](const Tensor& logits, const Labels&) {
        for (int64_t j = 0; j < 18; ++j) CHECK(logits.data()[j] == pixel(j / 9, j % 9 / 3 + 1, 2 - j % 3 - 1));
      },
      {{.mirrored = true, .down = 1, .right = -1}});
}

TEST_CASE("trainer: shards take the steps of one batch; the same bits for any number of threads") {
  struct End {
    std::vector<std::vector<real>> state;
    std::vector<double> losses;
  };
  const auto make = [] {
    Random random(3);
    auto network = std::make_unique<Sequential>(Dense(4, 6, random, false), BatchNorm(6), Dropout(real(0.3), random),
                                                Dense(6, 3, random));
    return network;
  };
  const auto train = [&](int64_t count, int pool) {
    const int before = threads();
    set_threads(pool);
    const auto network = make();
    Sgd sgd(parameters(*network), {.lr = real(0.1), .momentum = real(0.9)});
    Trainer trainer(*network, sgd, {.lr = 0.1}, real(0.1));
    trainer.before_update = [](const StepResult&, Grads& g) { clip_by_global_norm(g, 0.5); };
    Shards shards(count);
    if (count > 1) trainer.set_shards(shards, make);
    End end;
    for (uint64_t t = 0; t < 6; ++t) {
      const StepResult result = trainer.step(small_batch(t));
      CHECK(result.count == 8);
      end.losses.push_back(result.loss);
      end.losses.push_back(static_cast<double>(result.correct));
    }
    for (const Named& n : named(*network))
      if (n.role != Named::Role::stream) end.state.push_back(n.tensor.values());
    set_threads(before);
    return end;
  };
  const End whole = train(1, 2);
  for (int64_t count : {2, 3, 4}) {
    const End cut = train(count, 2);
    for (size_t i = 0; i < whole.losses.size(); ++i)
      CHECK(cut.losses[i] == doctest::Approx(whole.losses[i]).epsilon(1e-5));
    for (size_t i = 0; i < whole.state.size(); ++i)
      for (size_t k = 0; k < whole.state[i].size(); ++k)
        CHECK(static_cast<double>(cut.state[i][k]) == doctest::Approx(whole.state[i][k]).epsilon(1e-4));
    for (int pool : {1, 3}) {
      const End again = train(count, pool);
      CHECK(again.state == cut.state);
      CHECK(again.losses == cut.losses);
    }
  }
}

TEST_CASE("trainer: shards go on from the network's state, whatever their copies were made with") {
  const auto train = [](uint64_t seed, real mean) {
    const auto make = [](uint64_t of, real running) {
      Random random(of);
      BatchRenorm norm(6, {.start = 0, .r_end = 0, .d_end = 0});
      norm.set_statistics(Tensor::full({6}, running), Tensor::full({6}, 1), 8);
      return std::make_unique<Sequential>(Dense(4, 6, random, false), std::move(norm), Dropout(real(0.3), random),
                                          Dense(6, 3, random));
    };
    const auto network = make(1, 0);
    Sgd sgd(parameters(*network), {.lr = real(0.1)});
    Trainer trainer(*network, sgd, {.lr = 0.1});
    Shards shards(2);
    trainer.set_shards(shards, [&] { return make(seed, mean); });
    for (uint64_t t = 0; t < 3; ++t) trainer.step(small_batch(t));
    return weights(*network);
  };
  const auto same = train(1, 0);
  CHECK(train(2, 0) == same);
  CHECK(train(1, 3) == same);
}

TEST_CASE("trainer: large gradients are summed over shards in place, also two parameters' one gradient") {
  struct Sum : Layer {  // y = x (a + b)^T, and so da = db
    explicit Sum(Random& random)
        : a(Tensor::normal({1 << 17, 2}, random, 0, 0.1).track()),
          b(Tensor::normal({1 << 17, 2}, random, 0, 0.1).track()) {}
    Tensor forward(const Tensor& x, Mode) override { return linear(x, a + b, {}); }
    void visit(Visitor& v) override {
      v.parameter("a", a, true);
      v.parameter("b", b, true);
    }
    std::string describe() const override { return "sum"; }
    Owned a, b;
  };
  const auto make = [] {
    Random random(3);
    return std::make_unique<Sequential>(Dense(4, 2, random), Sum(random), Dense(1 << 17, 3, random));
  };
  std::vector<std::vector<real>> whole;
  for (int64_t count : {1, 2, 3}) {
    const auto network = make();
    Sgd sgd(parameters(*network), {.lr = real(0.1)});
    Trainer trainer(*network, sgd, {.lr = 0.1});
    std::vector<std::vector<real>> gradients;
    trainer.before_update = [&](const StepResult&, Grads& all) {
      for (const Tensor& g : all) gradients.push_back(g.values());
    };
    Shards shards(count);
    if (count > 1) trainer.set_shards(shards, make);
    trainer.step(small_batch(1));
    if (count == 1) whole = gradients;
    REQUIRE(gradients.size() == 6);
    CHECK(gradients[2] == gradients[3]);
    for (size_t p = 0; p < whole.size(); ++p) {
      double difference = 0, norm = 0;
      for (size_t k = 0; k < whole[p].size(); ++k) {
        difference += std::pow(gradients[p][k] - whole[p][k], 2);
        norm += std::pow(whole[p][k], 2);
      }
      CHECK(std::sqrt(difference) < 1e-5 * std::sqrt(norm));
    }
  }
}

TEST_CASE("trainer: a shard whose batch is not finite ends the step, and nothing is updated") {
  Sequential network = small_network();
  Sgd sgd(parameters(network), {.lr = real(0.1)});
  Trainer trainer(network, sgd, {.lr = 0.1});
  Shards shards(4);
  trainer.set_shards(shards, [] { return std::make_unique<Sequential>(small_network()); });
  const auto before = weights(network);
  Batch batch = small_batch(1);
  batch.x.mutable_data()[3] = std::numeric_limits<real>::infinity();
  CHECK_THROWS_WITH_AS(trainer.step(batch), "the loss is nan; the first whose output is not finite is the input",
                       Error);
  CHECK(weights(network) == before);
  trainer.set_shards(shards, [] { return std::make_unique<Sequential>(); });
  CHECK_THROWS_WITH_AS(trainer.step(small_batch(1)), "shards: the copy must have the network's layers", Error);
}
