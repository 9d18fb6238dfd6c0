// An optimiser and a data set of one's own in the program: as much as a user writes.
#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "tests/apps/own_program.h"
#include "tests/apps/run_end.h"

using namespace evenkeel;

namespace {

// w -= lr sign(m),  m = keep m + (1 - keep) g.
struct SignSgd : Optimizer {
  struct Options {
    double keep = 0;
    static void each(auto& o, auto&& option) {
      option("keep", o.keep, Range{0, 1, Range::Top::below}, "of m, in a step");
    }
  };
  SignSgd(std::vector<Parameter> parameters, const Options& o) : Optimizer(std::move(parameters), 1), options(o) {
    for (const Parameter& p : parameters_) m.push_back(Tensor::zeros(p.value.shape()));
  }
  std::vector<Parameter> state() const override {
    std::vector<Parameter> all;
    for (size_t i = 0; i < m.size(); ++i) all.push_back({"m." + parameters_[i].name, m[i], false});
    return all;
  }
  void update(const Grads& grads) override {
    const real keep = static_cast<real>(options.keep);
    for (size_t i = 0; i < grads.size(); ++i) {
      Tensor w = parameters_[i].value;
      m[i].copy_from(m[i] * keep + grads[i] * (1 - keep));
      w.copy_from(w.detach() - lr(i) * sign(m[i]));
    }
  }
  Options options;
  std::vector<Tensor> m;
};

// Class 0 is dark, class 1 is bright.
DataSplit shades() {
  Dataset all{.name = "shades", .image = {2, 2, 1}, .classes = 2, .class_names = {"dark", "bright"}};
  for (int i = 0; i < 64; ++i) {
    all.labels.push_back(i % 2);
    for (int p = 0; p < 4; ++p) all.pixels.push_back(static_cast<uint8_t>(i % 2 ? 200 + i % 7 : 40 + i % 5));
  }
  return {all, all};
}

// [own parts]
Registry own_parts() {
  Registry own;
  own.optimizers["sign"] = {[](std::vector<Parameter> p, SpecArguments& a) {
                              return std::make_unique<SignSgd>(std::move(p), a.options<SignSgd::Options>());
                            },
                            "sign" + usage_options<SignSgd::Options>(), 0.01};
  own.data["shades"] = shades;
  return own;
}
// [/own parts]

}  // namespace

TEST_CASE("own optimiser and data set: train, resume and eval know them, and say what they do not know") {
  const Scratch scratch;
  const Registry own = own_parts();
  const Arguments train{"train",       "--data",        "shades",       "--model", "flatten dense:classes",
                        "--optimizer", "sign:keep=0.5", "--batch-size", "8",       "--threads",
                        "1",           "--epochs"};
  const Outcome whole = run_with(own, train + Arguments{"4", "--out", scratch / "whole"});
  REQUIRE_MESSAGE(whole.status == 0, whole.err);
  CHECK(last_line(whole.out) == "test accuracy 1.0000 (64 of 64) after 4 epochs, best 1.0000 at epoch 1");
  CHECK(slurp(scratch / "whole/config.json").find("\"lr\": 0.01") != std::string::npos);

  REQUIRE(run_with(own, train + Arguments{"2", "--schedule", "constant", "--out", scratch / "part"}).status == 0);
  REQUIRE(run_with(own, train + Arguments{"4", "--schedule", "constant", "--out", scratch / "straight"}).status == 0);
  REQUIRE(run_with(own, {"train", "--resume", scratch / "part", "--epochs", "4"}).status == 0);
  const bool same = slurp(scratch / "part/last.safetensors") == slurp(scratch / "straight/last.safetensors");
  CHECK(same);  // with m, which is in state()

  const Outcome eval = run_with(own, {"eval", scratch / "whole/best.safetensors"});
  CHECK_MESSAGE(last_line(eval.out) == "test accuracy 1.0000 (64 of 64)", eval.err);

  const Outcome wrong = run_with(own, train + Arguments{"1", "--optimizer", "sign:kept=1", "--out", scratch / "no"});
  CHECK(wrong.status == 2);
  CHECK_MESSAGE(wrong.err.find("it is written sign[:keep=0]") != std::string::npos, wrong.err);
  const Outcome unknown = run({"eval", scratch / "whole/best.safetensors"});  // the program without them
  CHECK(unknown.status == 4);
  CHECK_MESSAGE(unknown.err.find("there is no data set called \"shades\"") != std::string::npos, unknown.err);
  const Outcome without = run({"train", "--config", scratch / "whole/config.json", "--out", scratch / "no"});
  CHECK(without.status == 4);
  CHECK_MESSAGE(without.err.find("there is no optimizer called \"sign\"") != std::string::npos, without.err);
}

TEST_CASE("own data: the program lists it, and says that it has a fixed size, also where a folder has its name") {
  const Scratch scratch;
  Registry own = own_parts();
  own.data[scratch.path] = shades;
  for (const std::string& name : {std::string("shades"), scratch.path}) {
    const Outcome sized = run_with(own, {"data", "show", name, "--image-size", "4", "--out", scratch / "sheet.png"});
    CHECK(sized.status == 2);
    CHECK_MESSAGE(sized.err.find(name + " has a fixed size and colour") != std::string::npos, sized.err);
  }
  own.data["synthetic"] = shades;
  const Outcome list = run_with(own, {"data", "list"});
  const size_t at = list.out.find("\nsynthetic  ");
  CHECK_MESSAGE(list.out.find("\nshades  ") != std::string::npos, list.out);
  REQUIRE_MESSAGE(at != std::string::npos, list.out);
  CHECK(list.out.find("\nsynthetic  ", at + 1) == std::string::npos);
  CHECK(list.out.find("loaded by this program", at) < list.out.find('\n', at + 1));
}

TEST_CASE("own data: names, labels and pixels that do not fit are refused before the first step") {
  const Scratch scratch;
  const auto refused = [&](const Dataset& part, const char* why) {
    Registry own;
    own.data["shades"] = [&] { return DataSplit{.train = part, .test = part}; };
    const Outcome o = run_with(own, {"train", "--data", "shades", "--model", "flatten dense:classes", "--epochs", "1",
                                     "--out", scratch / "run"});
    CHECK(o.status == 2);
    CHECK_MESSAGE(o.err.find(why) != std::string::npos, o.err);
    CHECK(!std::filesystem::exists(scratch / "run"));
  };
  const Dataset good{
      .name = "shades", .image = {1, 1, 1}, .classes = 2, .pixels = {0, 9, 1, 8}, .labels = {0, 1, 0, 1}};
  Dataset wrong = good;
  wrong.class_names = {"dark"};
  refused(wrong, "shades has 2 classes, which need as many class_names or none, got 1");
  wrong = good;
  wrong.labels[3] = 2;
  refused(wrong, "the labels of shades must be 0 to 1, got 2 at 3");
  wrong = good;
  wrong.pixels = {0, 9, 1};
  refused(wrong, "4 images of (1, 1, 1) must have 4 pixels, got 3");
}
