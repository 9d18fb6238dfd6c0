#include "layers/checkpoint.h"

#include <algorithm>
#include <cstring>

namespace evenkeel {
namespace {

constexpr const char* real_dtype = sizeof(real) == 4 ? "F32" : "F64";

// Calls value(name, tensor) for parameters and buffers, stream(name, random) for random streams.
template <class Value, class Stream>
void walk(Layer& layer, Value value, Stream stream) {
  struct Walk : Visitor {
    Walk(Value& v, Stream& s) : on_value(v), on_stream(s) {}
    void parameter(const std::string& name, Tensor& t, bool) override { on_value(full_name(name), t); }
    void buffer(const std::string& name, Tensor& t) override { on_value(full_name(name), t); }
    void stream(const std::string& name, Random& r) override { on_stream(full_name(name), r); }
    Value& on_value;
    Stream& on_stream;
  } visitor(value, stream);
  layer.visit(visitor);
}

StoredTensor store_stream(const std::string& name, const Random& random) {
  const uint64_t state[2] = {random.key(), random.counter()};
  StoredTensor t{name, "I64", {2}, std::string(sizeof state, '\0')};
  std::memcpy(t.bytes.data(), state, sizeof state);
  return t;
}

}  // namespace

StoredTensor store(const std::string& name, const Tensor& value) {
  StoredTensor t{name, real_dtype, {}, {}};
  for (int i = 0; i < value.shape().rank(); ++i) t.shape.push_back(value.dim(i));
  t.bytes.assign(reinterpret_cast<const char*>(value.data()), static_cast<size_t>(value.size()) * sizeof(real));
  return t;
}

Tensor load(const StoredTensor& stored) {
  if (stored.shape.size() > Shape::max_rank || (stored.dtype != "F32" && stored.dtype != "F64"))
    fail(Fault::bad_file, "checkpoint: {} is {} of {} axes; only F32 and F64 of at most {} can be read", stored.name, stored.dtype,
         stored.shape.size(), Shape::max_rank);
  Shape shape;
  for (int64_t d : stored.shape) shape.push_back(d);
  Tensor t = Tensor::empty(shape);
  auto convert = [&](auto number) {
    for (int64_t i = 0; i < t.size(); ++i) {
      std::memcpy(&number, stored.bytes.data() + static_cast<size_t>(i) * sizeof number, sizeof number);
      t.data()[i] = static_cast<real>(number);
    }
  };
  stored.dtype == "F32" ? convert(float()) : convert(double());
  return t;
}

SafeTensors capture(Layer& layer) {
  SafeTensors all;
  walk(
      layer,
      [&](const std::string& name, Tensor& t) { all.tensors.push_back(store(name, t.shape().rank() == 4 ? to_channels_first(t.detach()) : t)); },
      [&](const std::string& name, Random& r) { all.tensors.push_back(store_stream(name, r)); });
  return all;
}

void restore(Layer& layer, const SafeTensors& stored) {
  std::string wrong;
  auto found = [&](const std::string& name) {
    const StoredTensor* t = stored.find(name);
    if (!t) wrong += fmt::format("\n  {} is missing", name);
    return t;
  };
  // Everything is checked before anything is written, so that a wrong file changes nothing.
  std::vector<std::pair<Tensor, Tensor>> tensors;
  std::vector<std::pair<Random*, Random>> streams;
  walk(
      layer,
      [&](const std::string& name, Tensor& t) {
        const StoredTensor* s = found(name);
        if (!s) return;
        Tensor value = load(*s);
        if (value.shape().rank() == 4) value = to_channels_last(value);
        if (value.shape() != t.shape())
          wrong += fmt::format("\n  {} has shape {}, the network needs {} (convolutions channels last)", name, value.shape(), t.shape());
        tensors.emplace_back(t, value);
      },
      [&](const std::string& name, Random& r) {
        const StoredTensor* s = found(name);
        if (!s) return;
        uint64_t state[2] = {};
        if (s->dtype != "I64" || s->bytes.size() != sizeof state)
          wrong += fmt::format("\n  {} must be two I64", name);
        else
          std::memcpy(state, s->bytes.data(), sizeof state);
        streams.emplace_back(&r, Random(state[0], state[1]));
      });
  if (!wrong.empty()) fail(Fault::bad_file, "checkpoint: it does not fit the network:{}", wrong);
  for (auto& [to, from] : tensors) to.copy_from(from);
  for (auto& [to, from] : streams) *to = from;
}

}  // namespace evenkeel
