// What a network names and owns: names are unique, tensors are named once, copies own their values.
#include "layers/layer.h"

#include <doctest/doctest.h>

#include "core/engine/format.h"
#include "layers/dense.h"
#include "layers/model/checkpoint.h"
#include "layers/model/inspect.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/sequential.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

// y = x a + b with whatever its visit() says.
struct Line : Layer {
  using Visit = void (*)(Line&, Visitor&);
  explicit Line(Visit v) : names(v) {}
  Tensor forward(const Tensor& x, Mode) override { return add_per_channel(scale_per_channel(x, a), b); }
  void visit(Visitor& v) override { names(*this, v); }
  std::string describe() const override { return "line"; }
  Visit names;
  Owned a{Tensor::full({3}, 1).track()}, b{Tensor::zeros({3}).track()}, none, loose{Tensor::zeros({3})};
  Random random;
};

void refused(Line::Visit visit, const char* reason) {
  Random random(1);
  Sequential net(Dense(2, 3, random), Line(visit));
  CHECK_THROWS_WITH_AS(parameters(net), doctest::Contains(reason), Error);
  CHECK_THROWS_WITH_AS(capture(net), doctest::Contains(reason), Error);
  CHECK_THROWS_WITH_AS(restore(net, SafeTensors()), doctest::Contains(reason), Error);
}

}  // namespace

TEST_CASE(
    "a layer that names two things alike, or one tensor twice, is refused by name where the names are collected") {
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("a", l.b, true); }, "layer 1 (line)");
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("a", l.b, true); }, "1.a twice");
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.buffer("a", l.b); }, "1.a twice");
  refused([](Line& l, Visitor& v) { v.state("a", l.a), v.stream("a", l.random); }, "1.a twice");
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("b", l.a, true); },
          "names one tensor 1.a and 1.b");
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("b", l.none, true); },
          "names 1.b, and there is no tensor");
  refused([](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("b", l.loose, true); },
          "names the parameter 1.b, which is not tracked");
}

TEST_CASE("two children of one name are refused; the layer that names them is the one to blame") {
  struct Pair : Layer {
    Tensor forward(const Tensor& x, Mode mode) override { return second.forward(first.forward(x, mode), mode); }
    void visit(Visitor& v) override { v.child("part", first), v.child("part", second); }
    std::string describe() const override { return "pair"; }
    BatchNorm first{3}, second{3};
  };
  Sequential net{Pair()};
  CHECK_THROWS_WITH_AS(parameters(net), doctest::Contains("layer 0 (pair)"), Error);
  CHECK_THROWS_WITH_AS(capture(net), doctest::Contains("0.part twice"), Error);
}

TEST_CASE("a layer copied from another keeps its own tensors: an optimiser that holds them goes on") {
  Random random(1);
  Dense layer(4, 3, random);
  const Dense other(4, 3, random);
  const std::vector<Parameter> before = parameters(layer);
  Sgd sgd(before, {.lr = 1});
  layer = other;
  CHECK(layer.weight.values() == other.weight.values());
  CHECK(layer.weight.id() == before[0].value.id());
  const Tensor x = Tensor::normal({2, 4}, random);
  sgd.step(grad(sum(layer.forward(x, Mode::train)), values(parameters(layer))));
  CHECK(layer.weight.values() != other.weight.values());
  CHECK(layer.bias.values() != other.bias.values());
  layer = *&layer;
  CHECK(layer.weight.id() == before[0].value.id());
}

TEST_CASE("a layer is not assigned from one of another make: its tensors would be others") {
  Random random(1);
  Dense layer(4, 3, random);
  const auto refuse = [&](const Dense& other) {
    CHECK_THROWS_WITH_AS(layer = other, doctest::Contains("make a new layer instead"), Error);
  };
  refuse(Dense(4, 2, random));
  refuse(Dense(4, 3, random, false));
  BatchNorm norm(3);
  const BatchNorm fixed(3, {.affine = false});
  CHECK_THROWS_WITH_AS(norm = fixed, doctest::Contains("of (3), trained, cannot take over one of (3)"), Error);
  // The message says of both what they are.
  Dense narrow(4, 2, random);
  CHECK_THROWS_WITH_AS(narrow = layer,
                       doctest::Contains("of (2, 4), trained, cannot take over one of (3, 4), trained: "), Error);
  BatchNorm wide(4, {.affine = false});
  CHECK_THROWS_WITH_AS(wide = fixed, doctest::Contains("of (4) cannot take over one of (3): "), Error);
  Dense bare(4, 3, random, false);
  CHECK_THROWS_WITH_AS(layer = bare, doctest::Contains("of (3), trained, cannot take over none: "), Error);
  layer = Dense(4, 2, random);  // a new layer in its place
  CHECK(layer.weight.shape() == Shape{2, 4});
}

TEST_CASE("leaves: each tracked one that a result depends on, once, oldest first") {
  Tensor a = Tensor::scalar(2).track(), b = Tensor::scalar(3).track();
  const Tensor c = Tensor::scalar(4), unused = a * b;
  const auto ids = [](const Tensor& y) {
    std::vector<int64_t> all;
    for (const Tensor& t : leaves(y)) all.push_back(t.id());
    return all;
  };
  CHECK(ids(square(b * c) + b * a * b) == std::vector<int64_t>{a.id(), b.id()});
  CHECK(ids(a) == std::vector<int64_t>{a.id()});
  CHECK(ids(a.detach() * b) == std::vector<int64_t>{b.id()});
  CHECK(ids(c).empty());
  CHECK(ids(Tensor()).empty());
}

TEST_CASE("before the first step: a tracked tensor that no visit() names is an error, with the layer's name") {
  Vocabulary words = standard_vocabulary();
  words["line"] = {[](LayerArguments&) { return std::make_unique<Line>([](Line&, Visitor&) {}); }, "line"};
  words["half"] = {
      [](LayerArguments&) { return std::make_unique<Line>([](Line& l, Visitor& v) { v.parameter("a", l.a, true); }); },
      "half"};
  words["whole"] = {[](LayerArguments&) {
                      return std::make_unique<Line>(
                          [](Line& l, Visitor& v) { v.parameter("a", l.a, true), v.parameter("b", l.b, true); });
                    },
                    "whole"};
  Random random(1);
  const Tensor x = Tensor::normal({4, 2, 2, 3}, random);
  const auto first_step = [&](const std::string& model) {
    const auto net = make_model({.model = model, .input = {2, 2, 3}, .classes = 3}, words);
    check_named(*net, x, sum(net->forward(x, Mode::train)));
  };
  first_step("residual(conv:3:1 norm whole) global_avgpool whole");
  CHECK_THROWS_WITH_AS(first_step("residual(conv:3:1 norm act line) global_avgpool"),
                       doctest::Contains("layer 0.body.3 (line): 2 of its"), Error);
  CHECK_THROWS_WITH_AS(first_step("global_avgpool whole half"),
                       doctest::Contains("layer 2 (line): 1 of its tracked tensors, the first of shape (3)"), Error);
  const auto net = make_model({.model = "global_avgpool dense:classes", .input = {2, 2, 3}, .classes = 3});
  const Tensor loose = Tensor::scalar(1).track();
  CHECK_THROWS_WITH_AS(check_named(*net, x, sum(net->forward(x, Mode::train)) * loose),
                       doctest::Contains("not the network's parameters"), Error);
}

TEST_CASE("a layer's tensor is printed as any other") {
  CHECK(fmt::format("{:.1f}", Owned(Tensor::of({2}, {1, 2}))) == "(2) [1.0, 2.0]");
}
