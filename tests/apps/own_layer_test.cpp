// evenkeel train with a layer of one's own that goes wrong without an error of its own: refused before the first step.
#include <doctest/doctest.h>

#include <tuple>

#include "tests/apps/own_program.h"

using namespace evenkeel;

namespace {

// y = x a + b per channel; names are the ones given for a and b, "" for none.
struct Line : Layer {
  Line(int64_t channels, std::string name_a, std::string name_b)
      : a(Tensor::full({channels}, 1).track()),
        b(Tensor::zeros({channels}).track()),
        names{std::move(name_a), std::move(name_b)} {}
  Tensor forward(const Tensor& x, Mode) override { return add_per_channel(scale_per_channel(x, a), b); }
  void visit(Visitor& v) override {
    if (!names[0].empty()) v.parameter(names[0], a, true);
    if (!names[1].empty()) v.parameter(names[1], b, false);
  }
  std::string describe() const override { return "line"; }
  Owned a, b;
  std::string names[2];
};

Outcome train_with(const char* name_a, const char* name_b, const std::string& out) {
  Registry own;
  own.layers["line"] = {[&](LayerArguments& l) { return std::make_unique<Line>(l.input.channels(), name_a, name_b); },
                        "line"};
  return run_with(own, {"train", "--samples", "200", "--epochs", "1", "--threads", "1", "--model",
                        "flatten dense:8 residual(line) dense:classes", "--out", out});
}

}  // namespace

TEST_CASE("train: a layer whose visit() forgets a tensor, or names two alike, is refused before the first step") {
  const Scratch scratch;
  const Outcome good = train_with("a", "b", scratch / "good");
  REQUIRE_MESSAGE(good.status == 0, good.err);
  for (const auto& [a, b, reason] :
       {std::tuple("a", "", "layer 2.body.0 (line): 1 of its tracked tensors, the first of shape (8)"),
        {"", "", "layer 2.body.0 (line): 2 of its tracked tensors"},
        {"a", "a", "(line): visit() names a twice"}}) {
    const Outcome bad = train_with(a, b, scratch / "bad");
    CHECK(bad.status == 2);
    CHECK_MESSAGE(bad.err.find(reason) != std::string::npos, bad.err);
    CHECK(!std::filesystem::exists(scratch / "bad/last.safetensors"));
    std::filesystem::remove_all(scratch / "bad");
  }
}
