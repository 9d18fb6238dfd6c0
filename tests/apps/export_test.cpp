// evenkeel export, and weights that come from other programs; tests/interop.py compares with those programs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <tuple>

#include "apps/formats/onnx.h"
#include "layers/dense.h"
#include "layers/model/safetensors.h"
#include "layers/model/spec.h"
#include "layers/pooling.h"
#include "tests/apps/process.h"

namespace {

const Arguments small{"train",
                      "--samples",
                      "300",
                      "--epochs",
                      "1",
                      "--model",
                      "conv:4:3:stride=2 norm act dropout:0.1 flatten dense:classes"};

std::string accuracy(const Arguments& what) {
  const Outcome o = run(Arguments{"eval"} + what);
  CHECK_MESSAGE(o.status == 0, o.err);
  return last_line(o.out);
}

}  // namespace

TEST_CASE("export: every form is written, and what can be read again computes the same") {
  const Scratch scratch;
  REQUIRE(run(small + Arguments{"--out", scratch / "run"}).status == 0);
  const std::string file = scratch / "run/last.safetensors", exported = scratch / "run/last.export.safetensors";
  CHECK(run({"export", file, "--format", "safetensors"}).out == "wrote " + exported + "\n");
  for (const auto& t : evenkeel::read_safetensors(exported).tensors) CHECK(!t.name.starts_with("evenkeel."));
  CHECK(accuracy({exported}) == accuracy({file}));

  REQUIRE(run({"export", file, "--format", "safetensors", "--fold", "--out", scratch / "folded"}).status == 0);
  CHECK(evenkeel::read_safetensors(scratch / "folded").find("1.running_mean") == nullptr);
  CHECK(accuracy({scratch / "folded"}) == accuracy({file}));

  REQUIRE(run({"export", file, "--format", "npz"}).status == 0);
  CHECK(slurp(scratch / "run/last.npz").starts_with("PK\x03\x04"));
  REQUIRE(run({"export", file, "--format", "onnx", "--fold"}).status == 0);
  CHECK(slurp(scratch / "run/last.onnx").find("BatchNormalization") == std::string::npos);
  REQUIRE(run({"export", file, "--format", "onnx"}).status == 0);
  CHECK(slurp(scratch / "run/last.onnx").find("BatchNormalization") != std::string::npos);
}

TEST_CASE("onnx: a convolution says its groups where there are several") {
  using namespace evenkeel;
  for (const auto& [model, group] :
       {std::pair("conv:4:3:groups=2 flatten dense:classes", 2), {"conv:4:3 flatten dense:classes", 0}}) {
    const auto network = make_model({.model = model, .input = {4, 4, 2}, .classes = 3});
    const std::string file = format_onnx(*network, {4, 4, 2}, 3, {});
    // AttributeProto: name (field 1), an integer (field 3).
    CHECK((file.find(std::string("\x0a\5group\x18") + static_cast<char>(group)) != std::string::npos) == (group > 0));
    CHECK((file.find("\x0a\5group") != std::string::npos) == (group > 0));
  }
}

TEST_CASE("onnx: every norm and GELU has the standard's operator, in the lowest version that has all") {
  using namespace evenkeel;
  for (const auto& [norm_, what, opset] :
       {std::tuple<const char*, const char*, char>{"batch", "BatchNormalization", 13},
        {"renorm", "BatchNormalization", 13},
        {"instance", "InstanceNormalization", 13},
        {"group:4", "InstanceNormalization", 13},
        {"layer", "LayerNormalization", 17},
        {"group:1", "LayerNormalization", 17},
        {"group:2", "GroupNormalization", 21}}) {
    const auto& norm = norm_;
    CAPTURE(norm);
    const auto network = make_model({.model = "conv:4:3 norm residual(conv:4:3 norm act) flatten dense:classes",
                                     .norm = norm,
                                     .activation = "gelu",
                                     .input = {4, 4, 2},
                                     .classes = 3});
    const std::string file = format_onnx(*network, {4, 4, 2}, 3, {});
    for (const char* name : {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"})
      CHECK((file.find(name) != std::string::npos) == (name == std::string(what)));
    CHECK(file.find("Erf") != std::string::npos);
    // opset_import, field 8 of the model: the domain "", and the version.
    CHECK(file.ends_with(std::string("\x42\4\x0a\0\x10", 5) + opset));
    CHECK(file[1] == (opset == 13 ? 7 : opset == 17 ? 8 : 10));  // of the format, which goes with it
  }
}

TEST_CASE("onnx: SiLU is a Sigmoid and a product") {
  using namespace evenkeel;
  const auto network = make_model(
      {.model = "flatten dense:4 act dense:classes", .activation = "silu", .input = {2, 2, 1}, .classes = 3});
  const std::string file = format_onnx(*network, {2, 2, 1}, 3, {});
  CHECK(file.find("Sigmoid") != std::string::npos);
  CHECK(file.find("Mul") != std::string::npos);
}

TEST_CASE("onnx: eps is the layer's own, and a shortcut puts the old channels in the middle of the new ones") {
  using namespace evenkeel;
  const auto network =
      make_model({.model = "conv:2:3 norm residual(conv:6:3:stride=2:pad=1 norm) flatten dense:classes",
                  .norm = "batch:eps=0.25",
                  .input = {8, 8, 1},
                  .classes = 3});
  const std::string file = format_onnx(*network, {8, 8, 1}, 3, {});
  const auto bytes = [](const std::vector<float>& v) {
    return std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float));
  };
  CHECK(file.find("epsilon") != std::string::npos);
  CHECK(file.find(bytes({0.25F})) != std::string::npos);
  CHECK(file.find(bytes({1e-5F})) == std::string::npos);
  // 6 x 2: rows 2 and 3 are the old channels, the others zeros.
  CHECK(file.find(bytes({0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0})) != std::string::npos);
}

namespace {

// A protobuf message, read field by field: a key (number and wire type), and a value of the type's length.
struct Field {
  uint64_t number = 0, type = 0, integer = 0;
  std::string bytes;  // of types 2 and 5
};
std::vector<Field> fields_of(const std::string& message) {
  std::vector<Field> fields;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(message.at(at++));
      v |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return v;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint();
    Field f{.number = key >> 3, .type = key & 7, .bytes = {}};
    REQUIRE((f.type == 0 || f.type == 2 || f.type == 5));
    if (f.type == 0) {
      f.integer = varint();
    } else {
      const size_t size = f.type == 2 ? varint() : 4;
      REQUIRE(size <= message.size() - at);
      f.bytes = message.substr(at, size);
      at += size;
    }
    fields.push_back(f);
  }
  return fields;
}
std::vector<std::string> all_of(const std::string& message, uint64_t number) {
  std::vector<std::string> found;
  for (const Field& f : fields_of(message))
    if (f.number == number) found.push_back(f.bytes);
  return found;
}
std::vector<float> floats(const std::string& bytes) {
  std::vector<float> v(bytes.size() / sizeof(float));
  std::memcpy(v.data(), bytes.data(), v.size() * sizeof(float));
  return v;
}

}  // namespace

TEST_CASE("onnx: whiten is a convolution with its filters, scale a product with its number") {
  using namespace evenkeel;
  const auto network =
      make_model({.model = "whiten:2 flatten scale:0.3125 dense:classes:bias=off", .input = {3, 3, 1}, .classes = 3});
  const std::string file = format_onnx(*network, {3, 3, 1}, 3, {});
  const auto holds = [&](const std::vector<float>& v) {
    return file.find(std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float))) !=
           std::string::npos;
  };
  CHECK(file.find("Mul") != std::string::npos);
  CHECK(holds({0.3125F}));
  const float one = 1 / std::sqrt(1.0005F);  // before any image was measured: both signs of each pixel
  CHECK(holds({one, 0, 0, 0, 0, one, 0, 0, 0, 0, one, 0, 0, 0, 0, one, -one, 0, 0, 0}));
  CHECK(file.find("3.bias") == std::string::npos);
}

TEST_CASE("onnx: read back field by field, every node has its inputs, their values and its numbers") {
  using namespace evenkeel;
  const auto network =
      make_model({.model = "conv:4:3 layer:eps=0.25 relu flatten dense:classes", .input = {3, 2, 1}, .classes = 3});
  // Values that tell weights, and their places, apart.
  float next = 1;
  for (const Parameter& p : parameters(*network))
    for (int64_t i = 0; i < p.value.size(); ++i) Tensor(p.value).mutable_data()[i] = next++;
  const std::vector<Parameter> all = parameters(*network);
  REQUIRE(all.size() == 6);  // weight and bias of three layers
  const std::string graph = all_of(format_onnx(*network, {3, 2, 1}, 3, {}), 7).at(0);

  std::map<std::string, std::vector<float>> constants;  // TensorProto: name 8, raw_data 9
  for (const std::string& t : all_of(graph, 5)) constants[all_of(t, 8).at(0)] = floats(all_of(t, 9).at(0));
  std::map<std::string, std::string> nodes;  // NodeProto: input 1, op_type 4, attribute 5
  for (const std::string& n : all_of(graph, 1)) nodes[all_of(n, 4).at(0)] = n;
  const auto input = [&](const char* op, size_t i) {
    REQUIRE(nodes.contains(op));
    return constants.at(all_of(nodes[op], 1).at(i));
  };
  // An attribute's float, field 2, or integer, field 3.
  const auto attribute = [&](const char* op, const std::string& name) {
    for (const std::string& a : all_of(nodes.at(op), 5))
      if (all_of(a, 1).at(0) == name)
        for (const Field& f : fields_of(a)) {
          if (f.number == 2 && f.type == 5) return static_cast<double>(floats(f.bytes).at(0));
          if (f.number == 3 && f.type == 0) return static_cast<double>(f.integer);
        }
    return -1.0;
  };
  for (const char* op : {"Conv", "Gemm", "LayerNormalization"}) CHECK(all_of(nodes[op], 1).size() == 3);
  CHECK(input("Conv", 1) == all[0].value.values());  // one channel: both layouts are the same
  CHECK(input("Conv", 2) == all[1].value.values());
  CHECK(input("Gemm", 2) == all[5].value.values());
  CHECK(attribute("Gemm", "transB") == 1);
  // (C, H, W): a channel's weight for each of its 3 x 2 positions.
  for (size_t which : {0, 1}) {
    const std::vector<float> of_values = input("LayerNormalization", 1 + which);
    REQUIRE(of_values.size() == 4 * 6);
    for (size_t i = 0; i < of_values.size(); ++i) CHECK(of_values[i] == all[2 + which].value.values()[i / 6]);
  }
  CHECK(attribute("LayerNormalization", "epsilon") == 0.25);
  CHECK(attribute("LayerNormalization", "axis") == 1);
}

TEST_CASE("onnx: a layer that is not the library's is refused by its name") {
  using namespace evenkeel;
  struct Swish : Layer {
    Tensor forward(const Tensor& x, Mode) override { return x * sigmoid(x); }
    std::string describe() const override { return "swish"; }
  };
  Random random(1);
  Sequential network{Flatten(), Swish(), Dense(4, 3, random)};
  CHECK_THROWS_WITH_AS(format_onnx(network, {2, 2, 1}, 3, {}),
                       doctest::Contains("onnx: layer 1 (swish) cannot be written in ONNX"), Error);
}

TEST_CASE("export: what cannot be is said") {
  const Scratch scratch;
  REQUIRE(run(small + Arguments{"--out", scratch / "run"}).status == 0);
  CHECK(run({"export", scratch / "run/last.safetensors"}).status == 2);
  CHECK(run({"export", scratch / "nothing.safetensors", "--format", "npz"}).status == 3);
  CHECK(run({"export", scratch / "run/config.json", "--format", "npz"}).status == 4);
  CHECK(run({"export", scratch / "run/last.safetensors", "--format", "npz", "--out", scratch / "no/such/folder"})
            .status == 5);
}

TEST_CASE("weights without a description are evaluated and trained on where the options describe the network") {
  const Scratch scratch;
  REQUIRE(run(small + Arguments{"--out", scratch / "run"}).status == 0);
  const std::string file = scratch / "run/last.safetensors", bare = scratch / "bare.safetensors";
  evenkeel::SafeTensors contents = evenkeel::read_safetensors(file);
  contents.metadata.clear();
  std::erase_if(contents.tensors, [](const auto& t) { return t.name.starts_with("evenkeel."); });
  evenkeel::write_safetensors(bare, contents);
  CHECK(run({"eval", bare}).status == 4);
  CHECK(run({"eval", bare, "--model", small.back()}).status == 2);  // no --data
  CHECK(run({"eval", file, "--norm", "none"}).status == 2);         // no --model
  const Arguments network{"--model", small.back(), "--data", "synthetic"};
  CHECK(accuracy(Arguments{bare} + network) == accuracy(Arguments{file} + network));
  // A file with a description, but none of classes' names, as evenkeel 0.1.0 wrote them: their numbers stand for them.
  evenkeel::SafeTensors old = evenkeel::read_safetensors(file);
  REQUIRE(old.metadata.erase("class_names") == 1);
  evenkeel::write_safetensors(scratch / "old.safetensors", old);
  const std::string page = scratch / "page.html";
  REQUIRE(run({"eval", scratch / "old.safetensors", "--samples", "50", "--report", page}).status == 0);
  for (int c = 0; c < 10; ++c) CHECK(slurp(page).find("<tr><td>" + std::to_string(c) + "<td>") != std::string::npos);
  const Outcome other = run(Arguments{"eval", bare, "--norm", "none"} + network);
  CHECK(other.status == 4);
  CHECK_MESSAGE(other.err.find("1.running_mean is nothing that the network has") != std::string::npos, other.err);

  // Steps too small to matter: what comes out is what went in.
  const Arguments still{"--lr", "1e-30", "--optimizer", "sgd:momentum=0.9", "--schedule", "constant", "--seed", "9"};
  REQUIRE(run(small + still + Arguments{"--init", bare, "--out", scratch / "on"}).status == 0);
  const evenkeel::SafeTensors on = evenkeel::read_safetensors(scratch / "on/last.safetensors");
  for (const char* name : {"0.weight", "1.weight", "5.weight", "5.bias"})
    if (const auto* t = contents.find(name)) CHECK_MESSAGE(on.find(name)->bytes == t->bytes, name);
  CHECK(on.find("0.weight"));
  CHECK(on.find("1.running_mean")->bytes != contents.find("1.running_mean")->bytes);
  const Outcome wrong = run(small + Arguments{"--norm", "none", "--init", bare, "--out", scratch / "wrong"});
  CHECK(wrong.status == 4);
  CHECK(wrong.err.find(bare) != std::string::npos);
  CHECK(!std::filesystem::exists(scratch / "wrong"));
}

TEST_CASE("onnx: pools have their stride and padding, leaky ReLU its slope, GELU its root, the input its sides") {
  using namespace evenkeel;
  const auto graph_of = [](const std::string& model) {
    const auto network = make_model({.model = model + " flatten dense:classes", .input = {4, 6, 2}, .classes = 3});
    return all_of(format_onnx(*network, {4, 6, 2}, 3, {}), 7).at(0);
  };
  using Integers = std::vector<uint64_t>;
  for (const auto& [model_, op] :
       {std::pair("maxpool:3:stride=2:pad=1", "MaxPool"), {"avgpool:3:stride=2", "AveragePool"}}) {
    const std::string model = model_, graph = graph_of(model);
    std::map<std::string, Integers> attributes;  // AttributeProto: name 1, integers 8
    for (const std::string& node : all_of(graph, 1)) {
      if (all_of(node, 4).at(0) != op) continue;
      for (const std::string& a : all_of(node, 5))
        for (const Field& f : fields_of(a))
          if (f.number == 8) attributes[all_of(a, 1).at(0)].push_back(f.integer);
    }
    const uint64_t pad = model.ends_with("pad=1");
    CHECK(attributes["kernel_shape"] == Integers{3, 3});
    CHECK(attributes["strides"] == Integers{2, 2});
    CHECK(attributes["pads"] == Integers{pad, pad, pad, pad});
  }
  const auto bytes = [](float v) { return std::string(reinterpret_cast<const char*>(&v), sizeof v); };
  CHECK(graph_of("leaky_relu").find("\x0a\5alpha\x15" + bytes(0.01F)) != std::string::npos);
  CHECK(graph_of("gelu").find(bytes(std::sqrt(0.5F))) != std::string::npos);
  // ValueInfoProto: type 2, its tensor type 1, that one's shape 2, the axes 1: a name for the batch, then sizes.
  const std::string input = all_of(graph_of("relu"), 11).at(0),
                    shape = all_of(all_of(all_of(input, 2).at(0), 1).at(0), 2).at(0);
  Integers sizes;
  for (const std::string& axis : all_of(shape, 1))
    for (const Field& f : fields_of(axis))
      if (f.number == 1) sizes.push_back(f.integer);
  CHECK(sizes == Integers{2, 4, 6});
}
