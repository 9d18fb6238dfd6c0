#include "layers/sequential.h"

#include <doctest/doctest.h>

#include "layers/activation.h"
#include "layers/model/fold.h"
#include "layers/model/inference.h"
#include "layers/model/inspect.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/recalibrate.h"
#include "layers/pooling.h"

using namespace evenkeel;

namespace {

// The network's layers one by one, nothing fused.
Tensor one_by_one(Sequential& network, Tensor x, Mode mode) {
  for (size_t i = 0; i < network.size(); ++i) x = network[i].forward(x, mode);
  return x;
}

// The same, and the layers inside of residuals one by one, too; shortcuts are the identity.
Tensor nothing_fused(Sequential& network, Tensor x, Mode mode) {
  for (size_t i = 0; i < network.size(); ++i) {
    auto* residual = dynamic_cast<Residual*>(&network[i]);
    x = residual ? nothing_fused(residual->body(), x, mode) + x : network[i].forward(x, mode);
  }
  return x;
}

void check_close(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  for (int64_t i = 0; i < a.size(); ++i) CHECK(a.data()[i] == doctest::Approx(b.data()[i]).epsilon(1e-5));
}

}  // namespace

TEST_CASE("what is done in one pass gives what its layers give one by one") {
  Random random(1);
  const Tensor x = Tensor::normal({4, 8, 8, 3}, random);
  for (const char* model :
       {"conv:4:3 norm act conv:6:3 norm act flatten dense:classes",
        "residual(conv:3:3 norm act conv:3:3 norm) act flatten dense:classes",
        "residual(conv:6:3:stride=2 norm act) act flatten dense:classes", "residual() act flatten dense:classes",
        "residual(residual(conv:3:3 norm act) act) flatten dense:classes",
        "act act residual(act) act flatten dense:classes",
        "conv:16:3 maxpool norm act conv:32:3 act maxpool flatten dense:classes",
        "conv:16:3 conv:16:3 norm act maxpool conv:16:3 maxpool:2:stride=1 flatten dense:classes",
        "conv:16:3 residual(conv:16:3 act) maxpool conv:16:3 act maxpool flatten dense:classes"})
    for (const auto& [norm, activation] : {std::pair{"none", "relu"},
                                           {"batch", "relu"},
                                           {"layer", "relu"},
                                           {"none", "gelu"},
                                           {"batch", "gelu"},
                                           {"layer", "gelu"}})
      for (Mode mode : {Mode::probe, Mode::eval}) {
        CAPTURE(model);
        auto network =
            make_model({.model = model, .norm = norm, .activation = activation, .input = {8, 8, 3}, .classes = 3});
        check_close(network->forward(x, mode), one_by_one(*network, x, mode));
      }
}

TEST_CASE(
    "a network, a body and a block that end in a ReLU have it in every mode, folded, and made ready for inference") {
  for (const char* model :
       {"flatten dense:classes act", "flatten dense:classes norm act", "conv:3:3 norm act global_avgpool act",
        "conv:3:3 norm residual(conv:3:3 norm act) global_avgpool act",
        "conv:3:3 norm residual(conv:3:3 act) act global_avgpool act",
        "flatten dense:classes residual(dense:classes norm act)",
        "flatten dense:classes residual(dense:classes norm act) act",
        "flatten dense:classes residual(residual(dense:classes act)) act", "flatten dense:classes residual(act)",
        "conv:16:3 norm act conv:3:3 act maxpool global_avgpool",
        "conv:16:3 norm act conv:3:3 maxpool global_avgpool act", "flatten dense:classes act act"}) {
    CAPTURE(model);
    Random random(5);
    const Tensor x = Tensor::normal({4, 5, 5, 3}, random);
    const auto network = make_model({.model = model, .input = {5, 5, 3}, .classes = 3});
    for (const Parameter& p : parameters(*network))
      Tensor(p.value).copy_from(Tensor::normal(p.value.shape(), random, 0, 0.7));
    network->forward(x, Mode::train);  // the averages are this batch's from now on: training moves them no more
    for (Mode mode : {Mode::train, Mode::probe, Mode::eval}) {
      const Tensor expected = nothing_fused(*network, x, mode).detach();
      const auto same = [&](const Tensor& y, const Tensor& by_hand) { check_close(y.detach(), by_hand.detach()); };
      for (const bool record : {true, false}) {
        const Recording scope(record);
        same(network->forward(x, mode), expected);
        const Tensor add = Tensor::normal(expected.shape(), random);
        same(network->forward_then(x, mode, {.add = add}), expected + add);
        same(network->forward_then(x, mode, {.add = add, .after = After::relu}), relu(expected + add));
        same(network->forward_then(x, mode, {.after = After::relu}), relu(expected));
      }
    }
    const Recording off(false);
    const Tensor expected = nothing_fused(*network, x, Mode::eval);
    fold_batch_norms(*network);
    check_close(network->forward(x, Mode::eval), expected);
    prepare_inference(*network);
    check_close(network->forward(x, Mode::eval), expected);
    const auto other = make_model({.model = model, .input = {5, 5, 3}, .classes = 3});
    other->forward(x, Mode::train);
    const Tensor unfolded = nothing_fused(*other, x, Mode::eval);
    prepare_inference(*other);
    check_close(other->forward(x, Mode::eval), unfolded);
  }
}

TEST_CASE(
    "a layer that pools gets the 2x2 pooling behind it and behind its activation; no other layer, no other pool") {
  struct Spy : Layer {
    Spy(bool can, std::vector<Epilogue>& all) : can_pool(can), asked(&all) {}
    Tensor forward(const Tensor& x, Mode) override { return x; }
    Tensor forward_then(const Tensor& x, Mode, const Epilogue& then) override {
      asked->push_back(then);
      return then(x);
    }
    bool pools() const override { return can_pool; }
    std::string describe() const override { return "spy"; }
    bool can_pool;
    std::vector<Epilogue>* asked;
  };
  Random random(3);
  const Tensor x = Tensor::normal({2, 8, 8, 3}, random);
  const auto asked = [&](bool can, bool with_relu, const PoolOptions& options, const Epilogue& then = {}) {
    std::vector<Epilogue> all;
    Sequential network;
    network.add(std::make_unique<Spy>(can, all));
    if (with_relu) network.add(std::make_unique<Relu>());
    network.add(std::make_unique<MaxPool>(options));
    const Tensor y = network.forward_then(x, Mode::eval, then);
    CHECK(y.values() == then(max_pool(with_relu ? relu(x) : x, options)).values());
    REQUIRE(all.size() == 1);
    CHECK((all[0].after == After::relu) == with_relu);
    return all[0].pool;
  };
  for (const bool with_relu : {false, true}) {
    CHECK(asked(true, with_relu, {}));
    CHECK(asked(true, with_relu, {.size = 2, .stride = 2}, {.after = After::relu}));
    CHECK(asked(true, with_relu, {}, {.add = Tensor::normal({2, 4, 4, 3}, random)}));
    CHECK_FALSE(asked(false, with_relu, {}));
    CHECK_FALSE(asked(true, with_relu, {.size = 3}));
    CHECK_FALSE(asked(true, with_relu, {.size = 2, .stride = 4}));
    CHECK_FALSE(asked(true, with_relu, {.size = 2, .stride = 1}));
    CHECK_FALSE(asked(true, with_relu, {.size = 2, .padding = 1}));
  }
}

TEST_CASE("residual adds its input: with an empty body it doubles") {
  auto network = make_model({.model = "flatten residual() dense:classes", .input = {2, 2, 1}, .classes = 2});
  const Tensor x = Tensor::of({1, 4}, {1, -2, 3, 4});
  CHECK((*network)[1].forward(x, Mode::eval).values() == std::vector<real>{2, -4, 6, 8});
}

TEST_CASE("a body that ends in a ReLU: the input is added after it, and a ReLU after the block comes last") {
  auto network =
      make_model({.model = "flatten residual(dense:4 act) act dense:classes", .input = {2, 2, 1}, .classes = 2});
  auto& block = dynamic_cast<Residual&>((*network)[1]);
  Random random(2);
  const Tensor x = Tensor::normal({5, 4}, random), body = relu(block.body()[0].forward(x, Mode::eval));
  check_close(block.forward(x, Mode::eval), body + x);
  check_close(block.forward_then(x, Mode::eval, {.after = After::relu}), relu(body + x));
  int negative = 0;  // else the two orders would be the same
  for (real v : (body + x).values()) negative += v < 0;
  CHECK(negative > 0);
}

TEST_CASE(
    "the shortcut of a block with stride and more channels takes every second pixel and pads the channels on both "
    "sides") {
  // A body that gives zeros leaves the shortcut alone.
  auto network = make_model(
      {.model = "residual(conv:4:1:stride=2:pad=0) flatten dense:classes", .input = {3, 3, 2}, .classes = 2});
  for (const Parameter& p : parameters((*network)[0]))
    std::fill_n(Tensor(p.value).mutable_data(), p.value.size(), real(0));
  const Tensor x = Tensor::of({1, 3, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18});
  CHECK((*network)[0].forward(x, Mode::eval).values() ==
        std::vector<real>{0, 1, 2, 0, 0, 5, 6, 0, 0, 13, 14, 0, 0, 17, 18, 0});
}

TEST_CASE("frozen layers are in inference whatever the mode, and nothing trains or recalibrates them") {
  Sequential network(BatchNorm(2), BatchNorm(2));
  network.frozen = 1;
  auto &first = dynamic_cast<BatchNorm&>(network[0]), &second = dynamic_cast<BatchNorm&>(network[1]);
  const Tensor mean = Tensor::of({2}, {1, -1}), var = Tensor::of({2}, {4, 9});
  for (BatchNorm* norm : {&first, &second}) norm->set_statistics(mean, var, 100);
  const std::vector<real> variance = first.running_var.values();
  Random random(3);
  const Tensor x = Tensor::normal({8, 2}, random), inferred = first.forward(x, Mode::eval).detach();
  std::string names;
  for (const Parameter& p : network.trained_parameters()) names += p.name + " ";
  CHECK(names == "1.weight 1.bias ");
  for (const Mode mode : {Mode::train, Mode::probe})
    CHECK(network.forward(x, mode).values() == second.forward(inferred, Mode::probe).values());
  inspect(network, x, Mode::probe, [&](const LayerIO& s) {
    if (s.name == "0") CHECK(s.y.values() == inferred.values());
  });
  recalibrate(network, [&](const auto& see) { see(x); });
  CHECK(first.running_mean.values() == mean.values());
  CHECK(first.running_var.values() == variance);
  CHECK(second.running_rows.item() == 8);
  first.running_mean.mutable_data()[0] = NAN;  // which only inference reads
  CHECK(first_non_finite(network, x) == "layer 0 (batch)");
}

TEST_CASE("the first layer whose output is not finite is named") {
  auto network = make_model({.model = "flatten dense:3 norm act dense:classes", .input = {2, 2, 1}, .classes = 2});
  Random random(1);
  const Tensor x = Tensor::normal({4, 2, 2, 1}, random);
  CHECK(first_non_finite(*network, x) == "");
  Tensor w = parameters(*network)[0].value;
  w.mutable_data()[0] = INFINITY;
  CHECK(first_non_finite(*network, x) == "layer 1 (dense:3)");
  CHECK(first_non_finite(*network, Tensor::full({4, 2, 2, 1}, NAN)) == "the input");
}

TEST_CASE("a sequence of layers refuses an index beyond its end, and a layer that is not there") {
  Sequential network{Relu(), Sigmoid()};
  const auto refused = [](const std::function<void()>& use, const char* why) {
    CHECK_THROWS_WITH_AS(use(), why, Error);
  };
  const char *beyond = "sequential: there is no layer 2; it has 2", *none = "sequential: a layer is null (moved from?)";
  refused([&] { network[2]; }, beyond);
  refused([&] { network.replace(2, std::make_unique<Tanh>()); }, beyond);
  refused([&] { network.erase(2); }, beyond);
  refused([&] { network.add(nullptr); }, none);
  refused([&] { network.replace(0, nullptr); }, none);
  refused([] { Residual(nullptr); }, "residual: its body is null (moved from?)");
  CHECK(network.describe() == "relu sigmoid");
  network.erase(1);
  CHECK(network.describe() == "relu");
}
