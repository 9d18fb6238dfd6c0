#include "layers/model/spec.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/base/memory.h"
#include "layers/activation.h"
#include "layers/dropout.h"

using namespace evenkeel;

namespace {

std::string built(const std::string& model, const std::string& norm = "batch", const Shape& input = {28, 28, 1}) {
  return make_model({.model = model, .norm = norm, .input = input})->describe();
}

}  // namespace

TEST_CASE("named models have the published numbers of parameters") {
  auto count = [](const char* model, const char* norm, const Shape& input) {
    return parameter_count(*make_model({.model = model, .norm = norm, .input = input}));
  };
  CHECK(count("mlp", "none", {28, 28, 1}) == 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10);
  CHECK(count("mlp:100-100-100", "batch", {28, 28, 1}) == 784 * 100 + 2 * 100 * 100 + 3 * 200 + 100 * 10 + 10);
  CHECK(count("lenet", "none", {28, 28, 1}) == 32 * 25 + 32 + 64 * 32 * 25 + 64 + 3136 * 512 + 512 + 5130);
  CHECK(count("resnet20", "batch", {32, 32, 3}) ==
        269722);  // with option A shortcuts: 0.27 M (He et al. 2015, table 6)
  CHECK(count("vgg", "batch", {32, 32, 3}) == 1148874);
}

TEST_CASE("a bias is dropped exactly where the normalisation after it would cancel it") {
  auto names = [](const char* norm) {
    std::string all;
    for (const Parameter& p :
         parameters(*make_model({.model = "conv:4:3 norm act flatten dense:classes", .norm = norm})))
      all += p.name + " ";
    return all;
  };
  CHECK(names("batch") == "0.weight 1.weight 1.bias 4.weight 4.bias ");
  CHECK(names("layer") == "0.weight 0.bias 1.weight 1.bias 4.weight 4.bias ");
  CHECK(names("none") == "0.weight 0.bias 3.weight 3.bias ");
}

TEST_CASE("the same seed gives the same weights with and without normalisation") {
  auto first = [](const char* norm) { return parameters(*make_model({.norm = norm, .seed = 5}))[0].value.values(); };
  CHECK(first("batch") == first("none"));
}

TEST_CASE("specs: counts, groups, arguments by place and by name, policies") {
  CHECK(built("2*(conv:4:3 norm act) flatten dense:classes") ==
        "conv:4:3 batch relu conv:4:3 batch relu flatten dense:10");
  CHECK(built("conv:4:3:2:0 flatten dense:classes") == built("conv:4:3:stride=2:pad=0 flatten dense:10"));
  CHECK(built("conv:6:3 conv:6:3:groups=6 conv:4:1:1:0:2 flatten dense:classes") ==
        "conv:6:3 conv:6:3:groups=6 conv:4:1:groups=2 flatten dense:10");
  CHECK(built("flatten dense:5 norm act dense:classes", "batch:new=0.01:variance=biased") ==
        "flatten dense:5 batch:new=0.01:variance=biased relu dense:10");
  CHECK(built("flatten dropout:0.25 dense:classes") == "flatten dropout:0.25 dense:10");
}

TEST_CASE("a description is a spec that builds the same network") {
  for (const std::string& name : model_names()) {
    const std::string text = built(name, "batch", {32, 32, 3});
    CHECK(built(text, "none", {32, 32, 3}) == text);
  }
}

TEST_CASE("wrong specs are refused with the reason") {
  auto refused = [](const std::string& model, const char* reason, const char* norm = "batch") {
    CHECK_THROWS_WITH_AS(make_model({.model = model, .norm = norm}), doctest::Contains(reason), Error);
  };
  refused("", "at least one layer");
  std::string known;
  for (const auto& [name, kind] : standard_vocabulary()) known += (known.empty() ? "" : ", ") + name;
  refused("flatten dens:10", ("no layer is called 'dens'; there are " + known + ", and norm and act").c_str());
  refused("flatten dense", "needs its units");
  refused("flatten dense:ten", "must be a number");
  refused("flatten dense:10:3", "has an argument it does not know");
  refused("flatten dense:10:color=3", "has an argument it does not know");
  refused("flatten dense:10:units=10", "twice");
  refused("dense:10", "put flatten");
  refused("flatten dense:11", "one value a class");
  refused("(flatten dense:10", "closing parenthesis is missing");
  refused("flatten dense:10)", "opening parenthesis is missing");
  refused("0*(flatten) dense:10", "count must be");
  refused("99999999999999999999*(flatten) dense:10", "count must be");
  refused("9999*(9999*(flatten)) dense:10", "at most");
  refused(std::string(40, '(') + "flatten" + std::string(40, ')') + " dense:10", "deep");
  refused("residual(conv:4:3:pad=0) flatten dense:10", "no shortcut");
  refused("residual(flatten) dense:10", "no shortcut");
  refused("residual(global_avgpool) dense:10", "no shortcut");
  refused("flatten residual(dense:7) dense:10", "no shortcut");
  refused("residual flatten dense:10", "needs its layers in parentheses");
  refused("flatten norm dense:10", "no layer is called 'bach'", "bach");
  refused("flatten norm dense:10", "must be one layer", "norm");
  refused("flatten norm dense:10", "must be one layer", "batch relu");
  refused("mlp:100-x", "mlp:WIDTH");
  refused("flatten dense:" + std::string(1000, '0') + "10", "at most 1000 characters");
  refused("flatten norm dense:10", "does norm or act contain itself", "residual(norm)");
  refused("100*(100*(100*(100*(norm)))) flatten dense:10", "at most 10000 layers", "none");  // counts of nothing
}

TEST_CASE("what all layers together may ask for is bounded, and checked before it is allocated") {
  auto build = [](const std::string& model, const ModelLimits& limits) {
    make_model({.model = model, .norm = "batch", .input = {4, 4, 1}, .limits = limits});
  };
  build("flatten 2*dense:10", {.weights = 16 * 10 + 10 + 10 * 10 + 10});
  CHECK_THROWS_WITH_AS(build("flatten 2*dense:10", {.weights = 16 * 10 + 10 + 10 * 10 + 9}),
                       doctest::Contains("weights"), Error);
  CHECK_THROWS_WITH_AS(build("flatten 2*dense:10", {.weights = 16 * 10 + 10 + 10 * 10 - 1}),
                       doctest::Contains("weights"), Error);
  build("residual(2*conv:2:3) flatten dense:10", {.weights = 20 + 38 + 330});  // what stands inside counts once
  CHECK_THROWS_WITH_AS(build("residual(2*conv:2:3) flatten dense:10", {.weights = 20 + 38 + 329}),
                       doctest::Contains("weights"), Error);
  build("2*flatten dense:10", {.values = 16 + 16 + 10});
  CHECK_THROWS_WITH_AS(build("2*flatten dense:10", {.values = 16 + 16 + 9}), doctest::Contains("values an example"),
                       Error);
  CHECK_THROWS_WITH_AS(build("2*flatten dense:10", {.layers = 2}), doctest::Contains("at most 2 layers"), Error);
  CHECK_THROWS_WITH_AS(build("conv:1048576:1024 flatten dense:10", {}), doctest::Contains("weights"), Error);
  CHECK_THROWS_WITH_AS(build("conv:300000:1:1:1024 flatten dense:10", {}), doctest::Contains("values an example"),
                       Error);
  CHECK_THROWS_WITH_AS(build("conv:1000:1 conv:1:1:1024:1024 flatten dense:10", {}),
                       doctest::Contains("values an example"), Error);
}

TEST_CASE("a normalisation that the limits do not allow is not made to find that out") {
  const int64_t before = memory_stats().peak_bytes;
  for (const char* norm : {"batch", "batch:affine=off", "renorm", "group:1", "instance", "layer"}) {
    const ModelOptions options{
        .model = "flatten norm dense:classes", .norm = norm, .input = {4096, 4096, 4}, .limits = {.weights = 1000}};
    CHECK_THROWS_WITH_AS(make_model(options), doctest::Contains("weights"), Error);
  }
  CHECK(memory_stats().peak_bytes - before < 1 << 20);
}

TEST_CASE("a layer of one's own gets a name in the spec") {
  struct Swish : Layer {
    Tensor forward(const Tensor& x, Mode) override { return x * sigmoid(x); }
    std::string describe() const override { return "swish"; }
  };
  Vocabulary words = standard_vocabulary();
  words["swish"] = {[](LayerArguments&) -> LayerPtr { return std::make_unique<Swish>(); }, "swish"};
  auto network = make_model({.model = "flatten dense:8 norm act dense:classes", .activation = "swish"}, words);
  CHECK(network->describe() == "flatten dense:8 batch swish dense:10");
}

TEST_CASE("a model's table: shapes, parameters and multiply-adds") {
  auto network = make_model({.model = "vgg", .norm = "batch", .input = {32, 32, 3}});
  double work = 0;
  for (const LayerSummary& row : summarize(*network, {32, 32, 3})) work += row.multiply_adds;
  CHECK(work == 152764416 + 2560);  // by hand: the six convolutions and the dense layer
  CHECK(network->multiply_adds({32, 32, 3}) == work);
  // In a residual block the body counts; the shortcut multiplies nothing.
  auto block = make_model(
      {.model = "residual(conv:6:3:stride=2 norm act conv:6:3) global_avgpool dense:classes", .input = {8, 8, 3}});
  CHECK(block->multiply_adds({8, 8, 3}) == 4 * 4 * 6 * (27 + 54) + 60);
  auto grouped = make_model({.model = "conv:6:3:groups=3 global_avgpool dense:classes", .input = {8, 8, 3}});
  CHECK(grouped->multiply_adds({8, 8, 3}) == 8 * 8 * 6 * 9 + 60);
}

namespace {

// Every two dropout layers of a network keep an element together with the probability (1 - p)^2: their masks are
// independent.
void check_masks(Layer& network) {
  struct Find : Visitor {
    std::vector<Dropout*> found;
    void child(const std::string& name, Layer& layer) override {
      if (auto* dropout = dynamic_cast<Dropout*>(&layer)) found.push_back(dropout);
      Visitor::child(name, layer);
    }
  } find;
  network.visit(find);
  REQUIRE(find.found.size() > 1);
  constexpr int64_t n = 20'000;
  const Tensor ones = Tensor::full({n}, 1);
  std::vector<std::vector<real>> masks;
  for (Dropout* dropout : find.found) masks.push_back(dropout->forward(ones, Mode::train).values());
  for (size_t a = 0; a < masks.size(); ++a) {
    for (size_t b = a + 1; b < masks.size(); ++b) {
      CAPTURE(a);
      CAPTURE(b);
      int64_t together = 0;
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) together += masks[a][i] > 0 && masks[b][i] > 0;
      const double kept = (1 - static_cast<double>(find.found[a]->p)) * (1 - static_cast<double>(find.found[b]->p));
      CHECK(std::abs(static_cast<double>(together) - n * kept) < 4 * std::sqrt(n * kept * (1 - kept)));
    }
  }
}

}  // namespace

TEST_CASE("every dropout layer draws a mask of its own, whatever stands around it") {
  for (const char* model :
       {"flatten dropout dropout:0.3 dense:classes", "flatten dropout relu dropout batch dropout dense:classes",
        "3*(dropout) flatten dense:classes", "dropout residual(dropout residual(dropout)) flatten dense:classes",
        "flatten dense:9 dropout dropout dense:9 dropout dense:classes"}) {
    CAPTURE(model);
    for (uint64_t seed : {1, 2}) check_masks(*make_model({.model = model, .input = {4, 4, 1}, .seed = seed}));
  }
  Random random(1);
  Sequential by_hand(Dropout(0.5, random), Relu(), Dropout(0.5, random), Dropout(0.25, random));
  check_masks(by_hand);
}

TEST_CASE("a word of a program's own that makes no layer is an error with the word") {
  Vocabulary words = standard_vocabulary();
  words["nothing"] = {[](LayerArguments&) { return LayerPtr(); }, "nothing"};
  words["empty"] = {};
  for (const std::string word : {"nothing", "empty"})
    CHECK_THROWS_WITH_AS(make_model({.model = word + " flatten dense:classes", .input = {2, 2, 1}}, words),
                         ("model: the function of '" + word + "' made no layer; it must return one").c_str(), Error);
}
