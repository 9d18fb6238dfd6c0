// Every layer that a spec can name: what it describes itself as builds it again, with every argument; defaults are as
// they are said.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/shards.h"
#include "layers/conv2d.h"
#include "layers/model/checkpoint.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/group_norm.h"
#include "layers/norm/layer_norm.h"
#include "layers/pooling.h"

using namespace evenkeel;

namespace {

// A layer, the arguments it cannot do without included, and each further one with a value that is not its default.
struct Entry {
  std::string layer;
  std::vector<std::string> arguments = {};
};
const std::vector<Entry> entries = {
    {"dense:7", {"bias=off"}},
    {"conv:6:3", {"stride=2", "pad=2", "groups=2", "bias=off"}},
    {"whiten:2", {"eps=0.03"}},
    {"scale:0.25"},
    {"batch",
     {"eps=0.03", "average=cumulative", "new=0.3", "variance=biased", "affine=off", "gamma=off", "frozen=on", "ghost=2",
      "local=on"}},
    {"renorm", {"eps=0.03", "new=0.3", "rmax=1.5", "dmax=2.5", "start=1", "rend=7", "dend=6"}},
    {"group:2", {"eps=0.03"}},
    {"instance", {"eps=0.03"}},
    {"layer", {"eps=0.03"}},
    {"maxpool:3", {"stride=1", "pad=1"}},
    {"avgpool:3", {"stride=1", "pad=1"}},
    {"global_avgpool"},
    {"flatten"},
    {"dropout:0.25"},
    {"residual(conv:4:3)"},
    {"residual(conv:6:3:stride=2)"},
    {"relu"},
    {"sigmoid"},
    {"tanh"},
    {"softplus"},
    {"gelu"},
    {"silu"},
    {"leaky_relu"},
};

std::string name_of(const std::string& layer) { return layer.substr(0, layer.find_first_of(":(")); }

std::string with(std::string layer, const std::vector<std::string>& arguments, size_t without = SIZE_MAX) {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (i != without) layer += ":" + arguments[i];
  return layer;
}

std::unique_ptr<Sequential> network_of(const std::string& layer) {
  const bool flat = layer.starts_with("dense"),
             image = !flat && !layer.starts_with("flatten") && !layer.starts_with("global");
  const std::string model = (flat ? "flatten " : "") + layer + (image ? " flatten" : "") + " dense:classes";
  return make_model({.model = model, .input = {7, 7, 4}, .classes = 3});
}
Layer& layer_in(Sequential& network) {
  return network[network[0].describe() == "flatten" && network.size() == 3 ? 1 : 0];
}
std::string described(const std::string& layer) { return layer_in(*network_of(layer)).describe(); }

// All that a network does and holds: outputs of training on batches that differ in mean and scale, then of every mode,
// of a batch in two shards, and its state.
std::string behaviour(Sequential& network) {
  Random random(4);
  std::string all;
  const auto add = [&](const Tensor& y) { all += store("y", y).bytes; };
  for (const auto& [mean, deviation] : {std::pair(0.0, 1.0), {3.0, 4.0}, {-2.0, 0.3}, {5.0, 2.0}})
    add(network.forward(Tensor::normal({4, 7, 7, 4}, random, mean, deviation), Mode::train));
  const Tensor x = Tensor::normal({4, 7, 7, 4}, random);
  for (Mode mode : {Mode::train, Mode::probe, Mode::eval}) add(network.forward(x, mode));
  const Tensor halves[] = {Tensor::normal({4, 7, 7, 4}, random), x};
  Tensor y[2];
  Shards(2).run(8, [&](int64_t i) { y[i] = network.forward(halves[i], Mode::probe); });
  for (const Tensor& half : y) add(half);
  for (const Parameter& p : parameters(network)) all += p.name + " ";
  return all + format_safetensors(capture(network));
}

}  // namespace

TEST_CASE("every layer of the vocabulary and every argument that its usage names are among those tried here") {
  std::set<std::string> tried;
  for (const Entry& e : entries) {
    tried.insert(name_of(e.layer));
    for (const std::string& a : e.arguments) tried.insert(name_of(e.layer) + ":" + a.substr(0, a.find('=')));
  }
  for (const auto& [name_, kind_] : standard_vocabulary()) {
    const auto& name = name_;
    const auto& kind = kind_;
    CHECK_MESSAGE(tried.contains(name), name);
    for (size_t at = 0; (at = kind.usage.find("[:", at)) != std::string::npos; ++at) {
      const std::string key = kind.usage.substr(at + 2, kind.usage.find_first_of("=]", at) - at - 2);
      if (std::islower(key[0])) CHECK_MESSAGE(tried.contains(name + ":" + key), kind.usage);
    }
  }
}

TEST_CASE("a layer's description builds it again: no argument is lost, alone or together with all others") {
  for (const Entry& e : entries) {
    std::vector<std::string> texts{e.layer, with(e.layer, e.arguments)};
    for (const std::string& a : e.arguments) texts.push_back(e.layer + ":" + a);
    for (const std::string& text : texts) {
      CAPTURE(text);
      const std::string description = described(text);
      CHECK(description.size() == text.size());  // the same arguments, in an order of its own
      for (const std::string& a : e.arguments)
        CHECK((text.find(":" + a) == std::string::npos) == (description.find(":" + a) == std::string::npos));
      CHECK(described(description) == description);
      CHECK(behaviour(*network_of(description)) == behaviour(*network_of(text)));
    }
    // And each of them matters, alone or among all.
    for (size_t i = 0; i < e.arguments.size(); ++i) {
      CAPTURE(e.arguments[i]);
      const bool alone = behaviour(*network_of(e.layer + ":" + e.arguments[i])) != behaviour(*network_of(e.layer));
      const bool among =
          behaviour(*network_of(with(e.layer, e.arguments))) != behaviour(*network_of(with(e.layer, e.arguments, i)));
      CHECK((alone || among));
    }
  }
}

TEST_CASE(
    "a layer computes the shape that forward() would give, or its refusal, also of images larger than any memory") {
  for (const Entry& e : entries) {
    for (const std::string& text : {e.layer, with(e.layer, e.arguments)}) {
      CAPTURE(text);
      const auto network = network_of(text);
      Layer& layer = layer_in(*network);
      for (const Shape& input :
           {Shape{7, 7, 4}, {9, 5, 4}, {2, 3, 4}, {1, 1, 4}, {7, 7, 3}, {0, 7, 4}, {196}, {4}, {1}, {3, 4}, {0}, {}}) {
        CAPTURE(input);
        const auto shape = [&](auto find) {
          try {
            return find().str();
          } catch (const Error& error) {
            return std::string("refused");
          }
        };
        CHECK(shape([&] { return layer.output_shape(input); }) ==
              shape([&] { return layer.Layer::output_shape(input); }));
      }
      if (!text.starts_with("dense")) CHECK(layer.output_shape({1 << 20, 1 << 20, 4}).size() > 0);
    }
  }
}

TEST_CASE(
    "a residual's shortcut takes the strides of its layers in height and width, also of images that are not square") {
  const auto shape = [](const std::string& layers, const Shape& input) {
    const auto network = make_model({.model = "residual(" + layers + ") flatten dense:classes", .input = input});
    return (*network)[0].output_shape(input);
  };
  CHECK(shape("conv:6:3", {7, 3, 2}) == Shape{7, 3, 6});  // more channels, no stride
  CHECK(shape("conv:6:3", {3, 7, 2}) == Shape{3, 7, 6});
  CHECK(shape("conv:6:3:stride=3", {7, 3, 2}) == Shape{3, 1, 6});
  CHECK(shape("conv:6:3:stride=3", {3, 7, 2}) == Shape{1, 3, 6});
  CHECK(shape("conv:6:3:stride=2", {9, 4, 2}) == Shape{5, 2, 6});
  CHECK(shape("conv:2:3 conv:2:3:stride=2", {4, 9, 2}) == Shape{2, 5, 2});
  // Height and width shrink by different factors; channels are left out.
  for (const char* layers : {"conv:6:1:pad=0 maxpool:3:stride=1:pad=0", "conv:1:3", "conv:1:3:stride=2"}) {
    CAPTURE(layers);
    CHECK_THROWS_WITH_AS(shape(layers, {7, 4, 2}), doctest::Contains("no shortcut from (7, 4, 2) to"), Error);
  }
}

TEST_CASE("what a usage text says is the default is the default") {
  for (const auto& [name, kind] : standard_vocabulary()) {
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [&, n = name](const Entry& e) { return name_of(e.layer) == n; });
    REQUIRE(entry != entries.end());
    for (size_t at = 0; (at = kind.usage.find("[:", at)) != std::string::npos; ++at) {
      std::string argument = kind.usage.substr(at + 2, kind.usage.find_first_of("|]", at) - at - 2);
      CAPTURE(argument);
      if (std::isupper(argument[0])) {  // by place
        CHECK(described(name + ":" + argument.substr(argument.find('=') + 1)) == described(name));
        continue;
      }
      if (argument.ends_with("=SIZE") || argument.ends_with("=SIZE/2"))
        argument.replace(argument.find('=') + 1, 6, argument.ends_with("2") ? "1" : "3");
      CHECK(described(entry->layer + ":" + argument) == described(entry->layer));
    }
  }
}

TEST_CASE("a layer that is made without a spec has the spec's defaults") {
  CHECK(BatchNorm(4).describe() == described("batch"));
  CHECK(BatchRenorm(4).describe() == described("renorm"));
  CHECK(GroupNorm(4, 2).describe() == described("group:2"));
  CHECK(InstanceNorm(4).describe() == described("instance"));
  CHECK(LayerNorm(4).describe() == described("layer"));
  CHECK(MaxPool().describe() == described("maxpool"));
  CHECK(AvgPool().describe() == described("avgpool"));
  Random random(1);
  CHECK(Conv2d(4, 6, 3, {.padding = 1}, random).describe() == described("conv:6:3"));
  CHECK(Conv2d(4, 6, 3, {}, random).describe() ==
        described("conv:6:3:pad=0"));  // here alone the two differ: a spec keeps the size
}
