#include "layers/model/inference.h"

#include <doctest/doctest.h>

#include <barrier>
#include <thread>

#include "core/base/parallel.h"
#include "layers/model/checkpoint.h"
#include "layers/model/fold.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"

using namespace evenkeel;

TEST_CASE("threads share a network made ready for inference, each with batches of its own size") {
  const auto network =
      make_model({.model = "conv:16:3 norm act conv:16:3 norm act global_avgpool dense:classes", .input = {4, 4, 16}});
  prepare_inference(*network);
  Random random(3);
  struct Work {
    Tensor x, expected;
    int wrong = 0;
  };
  std::vector<Work> all;
  for (const int64_t n : {1, 24})  // one asks for the direct form, the other for Winograd's
    all.push_back({.x = Tensor::normal({n, 4, 4, 16}, random), .expected = {}});
  std::barrier start(2);
  std::vector<std::thread> threads;
  for (Work& w : all)
    threads.emplace_back([&w, &network, &start] {
      const Recording off(false);
      start.arrive_and_wait();
      for (int t = 0; t < 300; ++t) {
        const Tensor y = network->forward(w.x, Mode::eval);
        if (!w.expected.defined()) w.expected = y;
        w.wrong += y.values() != w.expected.values();
      }
    });
  for (std::thread& t : threads) t.join();
  const Recording off(false);
  for (const Work& w : all) {
    CHECK(w.wrong == 0);
    CHECK(network->forward(w.x, Mode::eval).values() == w.expected.values());
  }
}

TEST_CASE("a network made ready for inference gives the same logits, for any size of a batch, and cannot be trained") {
  for (const char* model : {"vgg", "resnet20",
                            "conv:32:3 norm act conv:32:3:groups=32 norm act conv:32:3:groups=2 norm act flatten "
                            "dense:classes",
                            "conv:24:5 norm maxpool conv:16:1 act norm conv:8:3:stride=2 norm act flatten dense:9 norm "
                            "act dense:classes"}) {
    for (const char* norm : {"none", "batch"}) {
      CAPTURE(model);
      CAPTURE(norm);
      const auto network = make_model({.model = model, .norm = norm, .input = {12, 12, 3}});
      Random random(7);
      const Tensor x = Tensor::normal({5, 12, 12, 3}, random);
      network->forward(x, Mode::train);  // running averages that are not 0 and 1
      const Recording off(false);
      const Tensor before = network->forward(x, Mode::eval);
      const int64_t layers = static_cast<int64_t>(network->size());
      const double work = network->multiply_adds({12, 12, 3});
      prepare_inference(*network);
      CHECK((std::string(norm) == "none" || static_cast<int64_t>(network->size()) < layers));
      CHECK(network->multiply_adds({12, 12, 3}) == work);
      CHECK(network->describe().find("conv:") != std::string::npos);
      const Tensor after = network->forward(x, Mode::eval);
      real largest = 0;
      for (real v : before.values()) largest = std::max(largest, std::abs(v));
      for (int64_t i = 0; i < before.size(); ++i)
        CHECK(std::abs(after.data()[i] - before.data()[i]) <= real(2e-5) * largest);
      // A batch of one takes other paths.
      const int64_t image = 12 * 12 * 3, classes = before.channels();
      for (int64_t n = 0; n < 5; ++n) {
        const Tensor one = Tensor::of({1, 12, 12, 3}, {x.data() + n * image, x.data() + (n + 1) * image}),
                     y = network->forward(one, Mode::eval);
        for (int64_t i = 0; i < classes; ++i)
          CHECK(std::abs(y.data()[i] - before.data()[n * classes + i]) <= real(2e-5) * largest);
      }
      CHECK_THROWS_WITH_AS(network->forward(x, Mode::train), doctest::Contains("left only Mode::eval"), Error);
    }
  }
}

TEST_CASE("prepared filters have no derivative, and say so") {
  Random random(1);
  PreparedFilters filters(Tensor::normal({2, 3, 3, 2}, random), {.padding = 1});
  Tensor x = Tensor::normal({1, 4, 4, 2}, random).track();
  const Tensor y = filters(x);
  CHECK(y.shape() == Shape{1, 4, 4, 2});
  CHECK_THROWS_WITH_AS(grad(y, {x}, {.cotangent = Tensor::full(y.shape(), 1)}),
                       doctest::Contains("prepared for inference"), Error);
}

TEST_CASE("a network made ready for inference cannot be saved, counted or trained without its filters") {
  const auto network = make_model(
      {.model = "conv:4:3 norm act residual(conv:4:3) flatten dense:classes", .norm = "batch", .input = {4, 4, 2}});
  prepare_inference(*network);
  const auto refused = [](const std::function<void()>& use) {
    CHECK_THROWS_WITH_AS(
        use(), "conv:4:3: prepare_inference() left only Mode::eval; train, inspect and save the network before it",
        Error);
  };
  refused([&] { parameters(*network); });
  refused([&] { capture(*network); });
  refused([&] { summarize(*network, {4, 4, 2}); });
  refused([&] { parameter_count(dynamic_cast<Residual&>((*network)[2])); });
  const Recording off(false);
  CHECK(network->forward(Tensor::zeros({1, 4, 4, 2}), Mode::eval).defined());
}
