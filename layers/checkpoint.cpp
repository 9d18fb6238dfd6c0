#include "layers/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace evenkeel {
namespace {

constexpr const char* real_dtype = sizeof(real) == 4 ? "F32" : "F64";

enum class Kind { value, count, state };

// Calls value(name, tensor, kind) for parameters and buffers, stream(name, random) for random streams; names are those in a file.
template <class Value, class Stream>
void walk(Layer& layer, Value value, Stream stream) {
  struct Walk : Visitor {
    Walk(Value& v, Stream& s) : on_value(v), on_stream(s) {}
    void parameter(const std::string& name, Tensor& t, bool) override { on_value(full_name(name), t, Kind::value); }
    void buffer(const std::string& name, Tensor& t) override { on_value(full_name(name), t, Kind::value); }
    void count(const std::string& name, Tensor& t) override { on_value(full_name(name), t, Kind::count); }
    void state(const std::string& name, Tensor& t) override { on_value(own_prefix + full_name(name), t, Kind::state); }
    void stream(const std::string& name, Random& r) override { on_stream(own_prefix + full_name(name), r); }
    Value& on_value;
    Stream& on_stream;
  } visitor(value, stream);
  layer.visit(visitor);
}

StoredTensor store_integers(const std::string& name, std::vector<int64_t> shape, const std::vector<int64_t>& values) {
  return {name, "I64", std::move(shape), std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int64_t))};
}

StoredTensor store_count(const std::string& name, const Tensor& value) {
  std::vector<int64_t> whole;
  for (real v : value.values()) whole.push_back(std::llround(v));
  StoredTensor t = store(name, value);
  return store_integers(name, t.shape, whole);
}

StoredTensor store_stream(const std::string& name, const Random& random) {
  return store_integers(name, {2}, {static_cast<int64_t>(random.key()), static_cast<int64_t>(random.counter())});
}

}  // namespace

StoredTensor store(const std::string& name, const Tensor& value) {
  StoredTensor t{name, real_dtype, {}, {}};
  for (int i = 0; i < value.shape().rank(); ++i) t.shape.push_back(value.dim(i));
  t.bytes.assign(reinterpret_cast<const char*>(value.data()), static_cast<size_t>(value.size()) * sizeof(real));
  return t;
}

Tensor load(const StoredTensor& stored) {
  if (stored.shape.size() > Shape::max_rank || (stored.dtype != "F32" && stored.dtype != "F64" && stored.dtype != "I64"))
    fail(Fault::bad_file, "checkpoint: {} is {} of {} axes; only F32, F64 and I64 of at most {} can be read", stored.name, stored.dtype,
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
  if (stored.dtype == "F32") convert(float());
  if (stored.dtype == "F64") convert(double());
  if (stored.dtype == "I64") convert(int64_t());
  return t;
}

SafeTensors capture(Layer& layer, Part part) {
  SafeTensors all;
  walk(
      layer,
      [&](const std::string& name, Tensor& t, Kind kind) {
        if (kind == Kind::state && part == Part::weights) return;
        if (kind == Kind::count)
          all.tensors.push_back(store_count(name, t));
        else
          all.tensors.push_back(store(name, t.shape().rank() == 4 ? to_channels_first(t.detach()) : t));
      },
      [&](const std::string& name, Random& r) {
        if (part == Part::everything) all.tensors.push_back(store_stream(name, r));
      });
  return all;
}

void restore(Layer& layer, const SafeTensors& stored, Part part) {
  std::string wrong;
  std::set<std::string> known;
  auto found = [&](const std::string& name) {
    known.insert(name);
    const StoredTensor* t = stored.find(name);
    if (!t) wrong += fmt::format("\n  {} is missing", name);
    return t;
  };
  // Everything is checked before anything is written, so that a wrong file changes nothing.
  std::vector<std::pair<Tensor, Tensor>> tensors;
  std::vector<std::pair<Random*, Random>> streams;
  walk(
      layer,
      [&](const std::string& name, Tensor& t, Kind kind) {
        if (kind == Kind::state && part == Part::weights && !stored.find(name)) {
          tensors.emplace_back(t, Tensor::full(t.shape(), 1));
          return;
        }
        const StoredTensor* s = found(name);
        if (!s) return;
        Tensor value = load(*s);
        if (value.shape().rank() == 4) value = to_channels_last(value);
        if (value.shape() != t.shape())
          wrong += fmt::format("\n  {} has shape {}, the network needs {} (convolutions channels last)", name, value.shape(), t.shape());
        tensors.emplace_back(t, value);
      },
      [&](const std::string& name, Random& r) {
        if (part == Part::weights) return;
        const StoredTensor* s = found(name);
        if (!s) return;
        uint64_t state[2] = {};
        if (s->dtype != "I64" || s->bytes.size() != sizeof state)
          wrong += fmt::format("\n  {} must be two I64", name);
        else
          std::memcpy(state, s->bytes.data(), sizeof state);
        streams.emplace_back(&r, Random(state[0], state[1]));
      });
  for (const StoredTensor& t : stored.tensors)
    if (!t.name.starts_with(own_prefix) && !known.contains(t.name)) wrong += fmt::format("\n  {} is nothing that the network has", t.name);
  if (!wrong.empty()) fail(Fault::bad_file, "checkpoint: it does not fit the network:{}", wrong);
  for (auto& [to, from] : tensors) to.copy_from(from);
  for (auto& [to, from] : streams) *to = from;
}

}  // namespace evenkeel
