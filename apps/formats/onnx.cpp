#include "apps/formats/onnx.h"

#include <algorithm>
#include <cmath>

#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/model/checkpoint.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/group_norm.h"
#include "layers/pooling.h"
#include "layers/scale.h"

namespace evenkeel {
namespace {

// A protobuf message as bytes: fields are a key (number and wire type) and a value.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& bytes(int field, const std::string& value) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }
  Message& number(int field, float value) {
    varint(static_cast<uint64_t>(field) << 3 | 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  const std::string& text() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value > 127; value >>= 7) bytes_ += static_cast<char>((value & 127) | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// The numbers of fields and enumerators are those of onnx.proto.
constexpr int float_type = 1;  // TensorProto.DataType

Message attribute(const std::string& name, int64_t value) {
  return Message().bytes(1, name).integer(3, value).integer(20, 2);
}
Message attribute(const std::string& name, float value) {
  return Message().bytes(1, name).number(2, value).integer(20, 1);
}
Message attribute(const std::string& name, const std::vector<int64_t>& values) {
  Message m;
  m.bytes(1, name);
  for (int64_t v : values) m.integer(8, v);
  return m.integer(20, 7);
}

Message value_info(const std::string& name, const std::vector<int64_t>& extents) {
  Message shape;
  shape.message(1, Message().bytes(2, "N"));
  for (int64_t e : extents) shape.message(1, Message().integer(1, e));
  return Message().bytes(1, name).message(2, Message().message(1, Message().integer(1, float_type).message(2, shape)));
}

class Graph {
 public:
  // Appends the layers; `x` is the input's name; returns the output's name.
  std::string add(Sequential& layers, std::string x, Shape& shape, const std::string& prefix) {
    for (size_t i = 0; i < layers.size(); ++i) {
      x = add(layers[i], x, shape, prefix + std::to_string(i));
      shape = layers[i].output_shape(shape);
    }
    return x;
  }
  // The lowest opset that has all added operators.
  int opset() const { return opset_; }
  Message message(const std::string& result, const Shape& input, int64_t classes) {
    node("Identity", {result}, "logits");
    body_.bytes(2, "evenkeel");
    body_.message(11, value_info("input", {input[2], input[0], input[1]}));
    body_.message(12, value_info("logits", {classes}));
    return body_;
  }

 private:
  std::string node(const char* op, const std::vector<std::string>& inputs, const std::string& output,
                   const std::vector<Message>& attributes = {}) {
    Message n;
    for (const std::string& i : inputs) n.bytes(1, i);
    n.bytes(2, output).bytes(3, output).bytes(4, op);
    for (const Message& a : attributes) n.message(5, a);
    body_.message(1, n);
    return output;
  }

  std::string constant(const std::string& name, const Tensor& value) {
    const Tensor v = value.shape().rank() == 4 ? to_channels_first(value.detach()) : value;
    std::string bytes;
    for (real r : v.values()) {
      const float f = static_cast<float>(r);
      bytes.append(reinterpret_cast<const char*>(&f), sizeof f);
    }
    Message t;
    for (int i = 0; i < v.shape().rank(); ++i) t.integer(1, v.dim(i));
    body_.message(5, t.integer(2, float_type).bytes(8, name).bytes(9, bytes));
    return name;
  }

  std::string pool(const char* op, const std::string& x, const std::string& name, const PoolOptions& o) {
    const int64_t stride = o.stride ? o.stride : o.size;
    return node(op, {x}, name,
                {attribute("kernel_shape", {o.size, o.size}), attribute("strides", {stride, stride}),
                 attribute("pads", {o.padding, o.padding, o.padding, o.padding})});
  }

  std::string add(Layer& layer, const std::string& x, const Shape& shape, const std::string& name) {
    if (auto* l = dynamic_cast<Conv2d*>(&layer)) {
      std::vector<std::string> inputs{x, constant(name + ".weight", l->weight)};
      if (l->bias.defined()) inputs.push_back(constant(name + ".bias", l->bias));
      const int64_t p = l->options.padding, s = l->options.stride;
      std::vector<Message> attributes{attribute("kernel_shape", {l->weight.dim(1), l->weight.dim(2)}),
                                      attribute("strides", {s, s}), attribute("pads", {p, p, p, p})};
      if (l->options.groups != 1) attributes.push_back(attribute("group", l->options.groups));
      return node("Conv", inputs, name, attributes);
    }
    if (auto* l = dynamic_cast<Dense*>(&layer)) {
      std::vector<std::string> inputs{x, constant(name + ".weight", l->weight)};
      if (l->bias.defined()) inputs.push_back(constant(name + ".bias", l->bias));
      return node("Gemm", inputs, name, {attribute("transB", int64_t{1})});
    }
    if (auto* l = dynamic_cast<RunningNorm*>(&layer)) {
      // A renorm's sigma includes eps, see statistics().
      const auto* batch = dynamic_cast<const BatchNorm*>(l);
      const RunningNorm::Statistics s = l->statistics();
      return node("BatchNormalization",
                  {x, constant(name + ".weight", l->gamma), constant(name + ".bias", l->beta),
                   constant(name + ".running_mean", s.mean),
                   constant(name + ".running_var", batch ? batch->running_var : s.var)},
                  name, {attribute("epsilon", static_cast<float>(batch ? batch->options.eps : 0))});
    }
    if (auto* l = dynamic_cast<GroupNorm*>(&layer))
      return group_norm(x, shape, name, l->groups, l->gamma, l->beta, l->eps);
    if (auto* l = dynamic_cast<Scale*>(&layer))
      return node("Mul", {x, constant(name + ".factor", Tensor::full({1}, l->factor))}, name);
    if (auto* l = dynamic_cast<MaxPool*>(&layer)) return pool("MaxPool", x, name, l->options);
    if (auto* l = dynamic_cast<AvgPool*>(&layer)) return pool("AveragePool", x, name, l->options);
    if (dynamic_cast<GlobalAvgPool*>(&layer))
      return node("Flatten", {node("GlobalAveragePool", {x}, name + ".mean")}, name);
    if (dynamic_cast<Flatten*>(&layer)) return node("Flatten", {x}, name);
    if (dynamic_cast<Dropout*>(&layer)) return x;
    if (auto* l = dynamic_cast<Activation*>(&layer)) {
      const std::map<std::string, const char*> ops = {{"relu", "Relu"},
                                                      {"sigmoid", "Sigmoid"},
                                                      {"tanh", "Tanh"},
                                                      {"softplus", "Softplus"},
                                                      {"leaky_relu", "LeakyRelu"}};
      if (const auto op = ops.find(l->name); op != ops.end())
        return node(op->second, {x}, name,
                    l->name == "leaky_relu" ? std::vector{attribute("alpha", 0.01f)} : std::vector<Message>());
      if (l->name == "gelu") return gelu(x, name);
      if (l->name == "silu") return node("Mul", {x, node("Sigmoid", {x}, name + ".sigmoid")}, name);
    }
    if (auto* l = dynamic_cast<Residual*>(&layer)) {
      Shape behind = shape;
      const std::string y = add(l->body(), x, behind, name + ".body.");
      return node("Add", {y, shortcut(x, shape, behind, l->stride(), name + ".shortcut")}, name);
    }
    fail(Fault::usage,
         "onnx: layer {} ({}) cannot be written in ONNX's operators; safetensors and npz take any network", name,
         layer.describe());
  }

  // Chooses the operator with the lowest opset: one channel per group is an instance norm, one group a layer norm,
  // which in ONNX has a weight for each value of an example.
  std::string group_norm(const std::string& x, const Shape& shape, const std::string& name, int64_t groups,
                         const Tensor& gamma, const Tensor& beta, real eps) {
    const Message epsilon = attribute("epsilon", static_cast<float>(eps));
    const bool layer_norm = groups == 1 && gamma.size() > 1;
    const auto weight = [&](const char* which, const Tensor& t) {
      return constant(name + which, layer_norm ? to_each_value(t, shape) : t);
    };
    const std::vector<std::string> inputs{x, weight(".weight", gamma), weight(".bias", beta)};
    if (groups == gamma.size()) return node("InstanceNormalization", inputs, name, {epsilon});
    opset_ = std::max(opset_, layer_norm ? 17 : 21);
    if (layer_norm) return node("LayerNormalization", inputs, name, {attribute("axis", int64_t{1}), epsilon});
    return node("GroupNormalization", inputs, name, {attribute("num_groups", groups), epsilon});
  }

  // (C) -> (C, H, W) of an example of (H, W, C), or (C) itself
  static Tensor to_each_value(const Tensor& t, const Shape& example) {
    if (example.rank() == 1) return t;
    const int64_t positions = example.rows();
    Tensor all = Tensor::empty({example[2], example[0], example[1]});
    for (int64_t i = 0; i < all.size(); ++i) all.mutable_data()[i] = t.data()[i / positions];
    return all;
  }

  // x / 2 (1 + erf(x / sqrt(2))): works in every runtime; the operator Gelu needs opset 20
  std::string gelu(const std::string& x, const std::string& name) {
    const auto number = [&](const char* what, double v) {
      return constant(name + what, Tensor::scalar(static_cast<real>(v)));
    };
    const std::string scaled = node("Mul", {x, number(".rsqrt2", std::sqrt(0.5))}, name + ".scaled");
    const std::string erf = node("Erf", {scaled}, name + ".erf");
    const std::string cdf = node("Add", {erf, number(".one", 1)}, name + ".twice_cdf");
    const std::string half = node("Mul", {x, number(".half", 0.5)}, name + ".halved");
    return node("Mul", {half, cdf}, name);
  }

  // Strided subsampling and zero-padded channels, as a convolution with weights 0 and 1: exact, and in every runtime.
  std::string shortcut(const std::string& x, const Shape& in, const Shape& out, int64_t stride,
                       const std::string& name) {
    if (in == out) return x;
    const int64_t from = in[2], to = out[2];
    Tensor select = Tensor::zeros({to, 1, 1, from});
    for (int64_t c = 0; c < from; ++c) select.mutable_data()[((to - from) / 2 + c) * from + c] = 1;
    return node("Conv", {x, constant(name + ".weight", select)}, name,
                {attribute("kernel_shape", {1, 1}), attribute("strides", {stride, stride})});
  }

  Message body_;
  int opset_ = 13;
};

}  // namespace

std::string format_onnx(Sequential& network, const Shape& input, int64_t classes,
                        const std::map<std::string, std::string>& metadata) {
  const Recording off(false);
  Graph graph;
  Shape shape = input;
  const std::string result = graph.add(network, "input", shape, "");
  Message model;
  const int opset = graph.opset(), ir_version = opset < 15 ? 7 : opset < 19 ? 8 : 10;
  model.integer(1, ir_version)
      .bytes(2, "evenkeel")
      .message(7, graph.message(result, input, classes))
      .message(8, Message().bytes(1, "").integer(2, opset));
  for (const auto& [key, value] : metadata) model.message(14, Message().bytes(1, key).bytes(2, value));
  return model.text();
}

}  // namespace evenkeel
