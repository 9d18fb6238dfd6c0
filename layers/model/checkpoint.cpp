#include "layers/model/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace evenkeel {
namespace {

constexpr const char* real_dtype = sizeof(real) == 4 ? "F32" : "F64";

using Role = Named::Role;

// What the layer names, under the names of a file.
std::vector<Named> in_file(Layer& layer) {
  std::vector<Named> all = named(layer);
  for (Named& n : all)
    if (n.role == Role::state || n.role == Role::stream) n.name = own_prefix + n.name;
  return all;
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

// What no training can have made of a normalisation's statistics, by their names; empty: nothing.
std::string wrong_statistics(const std::string& name, const Tensor& value) {
  const auto ends = [&](const char* ending) { return name.ends_with(ending); };
  const bool variance = ends("running_var") || ends("num_batches_tracked"), deviation = ends("running_sigma"), weight = ends("running_weight");
  for (const real v : value.values()) {
    if (variance && v < 0) return fmt::format("\n  {} holds {}; it must not be negative", name, v);
    if (deviation && v <= 0) return fmt::format("\n  {} holds {}; it must be positive", name, v);
    if (weight && (v < 0 || v > real(1.001))) return fmt::format("\n  {} holds {}; it must be from 0 to 1", name, v);
  }
  return "";
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
      t.mutable_data()[i] = static_cast<real>(number);
    }
  };
  if (stored.dtype == "F32") convert(float());
  if (stored.dtype == "F64") convert(double());
  if (stored.dtype == "I64") convert(int64_t());
  const real *begin = t.data(), *end = begin + t.size();
  if (const real* bad = std::find_if(begin, end, [](real v) { return !std::isfinite(v); }); bad != end)
    fail(Fault::bad_file, "checkpoint: {} holds {} at place {} of {}; every number must be finite", stored.name, *bad, bad - begin, t.size());
  return t;
}

SafeTensors capture(Layer& layer, Part part) {
  SafeTensors all;
  for (const Named& n : in_file(layer)) {
    if (part == Part::weights && (n.role == Role::state || n.role == Role::stream)) continue;
    all.tensors.push_back(
        n.role == Role::stream ? store_stream(n.name, *n.stream)
        : n.role == Role::count
            ? store_count(n.name, n.tensor)
            : store(n.name, n.tensor.shape().rank() == 4 ? to_channels_first(n.tensor.detach()) : n.tensor));
  }
  return all;
}

void restore(Layer& layer, const SafeTensors& stored, Part part) {
  std::string wrong;
  std::set<std::string> known;
  const auto names = by_name(stored);
  auto found = [&](const std::string& name) {
    known.insert(name);
    const auto at = names.find(name);
    if (at == names.end()) wrong += fmt::format("\n  {} is missing", name);
    return at == names.end() ? nullptr : at->second;
  };
  // Everything is checked before anything is written, so that a wrong file changes nothing.
  std::vector<std::pair<Tensor, Tensor>> tensors;
  std::vector<std::pair<Random*, Random>> streams;
  for (const Named& n : in_file(layer)) {
    if (n.role == Role::stream) {
      if (part == Part::weights) continue;
      const StoredTensor* s = found(n.name);
      if (!s) continue;
      uint64_t state[2] = {};
      if (s->dtype != "I64" || s->bytes.size() != sizeof state)
        wrong += fmt::format("\n  {} must be two I64", n.name);
      else
        std::memcpy(state, s->bytes.data(), sizeof state);
      streams.emplace_back(n.stream, Random(state[0], state[1]));
    } else if (n.role == Role::state && part == Part::weights && !names.contains(n.name)) {
      tensors.emplace_back(n.tensor, Tensor::full(n.tensor.shape(), 1));
    } else if (const StoredTensor* s = found(n.name)) {
      Tensor value = load(*s);
      if (value.shape().rank() == 4) value = to_channels_last(value);
      if (value.shape() != n.tensor.shape())
        wrong += fmt::format("\n  {} has shape {}, the network needs {} (convolutions channels last)", n.name,
                             value.shape(), n.tensor.shape());
      wrong += wrong_statistics(n.name, value);
      tensors.emplace_back(n.tensor, value);
    }
  }
  for (const StoredTensor& t : stored.tensors)
    if (!t.name.starts_with(own_prefix) && !known.contains(t.name)) wrong += fmt::format("\n  {} is nothing that the network has", t.name);
  if (!wrong.empty()) fail(Fault::bad_file, "checkpoint: it does not fit the network:{}", wrong);
  for (auto& [to, from] : tensors) to.copy_from(from);
  for (auto& [to, from] : streams) *to = from;
}

}  // namespace evenkeel
