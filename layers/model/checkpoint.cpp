#include "layers/model/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/group_norm.h"
#include "layers/sequential.h"

namespace evenkeel {
namespace {

constexpr const char* real_dtype = sizeof(real) == 4 ? "F32" : "F64";

using Role = Named::Role;

// The layer's named values, under the names used in files.
std::vector<Named> in_file(Layer& layer) {
  std::vector<Named> all = named(layer);
  for (Named& n : all)
    if (n.role == Role::state || n.role == Role::stream) n.name = own_prefix + n.name;
  return all;
}

StoredTensor store_integers(const std::string& name, std::vector<int64_t> shape, const std::vector<int64_t>& values) {
  return {name, "I64", std::move(shape),
          std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int64_t))};
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

struct Half {  // F16: sign, 5 bits of exponent, 10 of fraction
  uint16_t bits;
  operator real() const {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const real size = exponent == 31  ? (fraction ? real(NAN) : real(INFINITY))
                      : exponent == 0 ? std::ldexp(static_cast<real>(fraction), -24)
                                      : std::ldexp(static_cast<real>(1024 + fraction), exponent - 25);
    return bits >> 15 ? -size : size;
  }
};

struct UpperHalf {  // BF16: of a float's bits
  uint16_t bits;
  operator real() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

template <class Number>
void read_numbers(const std::string& bytes, Tensor& t) {
  real* out = t.mutable_data();
  for (int64_t i = 0; i < t.size(); ++i) {
    Number number;
    std::memcpy(&number, bytes.data() + static_cast<size_t>(i) * sizeof number, sizeof number);
    out[i] = static_cast<real>(number);
  }
}

using Names = std::unordered_map<std::string_view, const StoredTensor*>;

bool is_integer(const std::string& dtype) { return dtype[0] == 'I' || dtype[0] == 'U'; }

// The prefix that all names in the file have and the network's lack: torch.nn.DataParallel adds "module.",
// torch.compile "_orig_mod.". Empty if the file has the network's first name unchanged, or if no prefix fits.
std::string wrapper_prefix(const std::vector<Named>& all, const SafeTensors& stored, const Names& names) {
  const auto first =
      std::find_if(all.begin(), all.end(), [](const Named& n) { return !n.name.starts_with(own_prefix); });
  if (first == all.end() || names.contains(first->name)) return "";
  const std::string* shared = nullptr;
  size_t length = 0;
  for (const StoredTensor& t : stored.tensors) {
    if (t.name.starts_with(own_prefix)) continue;
    if (!shared) shared = &t.name, length = t.name.size();
    const auto begin = shared->begin(), end = begin + static_cast<std::ptrdiff_t>(length);
    length = static_cast<size_t>(std::mismatch(begin, end, t.name.begin(), t.name.end()).first - begin);
  }
  for (const StoredTensor& t : stored.tensors) {
    const size_t rest = t.name.size() - std::min(t.name.size(), first->name.size());
    if (rest > 0 && rest <= length && t.name[rest - 1] == '.' && t.name.ends_with(first->name))
      return t.name.substr(0, rest);
  }
  return "";
}

// Biases that other programs have and this network lacks, because the following normalisation cancels them: name, size,
// and the name of the running mean to correct (empty for an instance norm).
struct CancelledBiases : Visitor {
  struct Bias {
    std::string name, mean;
    int64_t size;
  };
  explicit CancelledBiases(Layer& root) {
    look(root, "");
    root.visit(*this);
  }
  void child(const std::string& name, Layer& layer) override {
    look(layer, full_name(name) + ".");
    Visitor::child(name, layer);
  }
  void look(Layer& layer, const std::string& prefix) {
    auto* sequence = dynamic_cast<Sequential*>(&layer);
    for (size_t i = 0; sequence && i + 1 < sequence->size(); ++i) {
      Layer &before = (*sequence)[i], &behind = (*sequence)[i + 1];
      const auto* conv = dynamic_cast<const Conv2d*>(&before);
      const auto* dense = dynamic_cast<const Dense*>(&before);
      const bool moves = dynamic_cast<const RunningNorm*>(&behind) != nullptr;
      if ((!conv && !dense) || (!moves && !dynamic_cast<const InstanceNorm*>(&behind))) continue;
      if ((conv ? conv->bias : dense->bias).defined()) continue;
      found.push_back({prefix + std::to_string(i) + ".bias",
                       moves ? prefix + std::to_string(i + 1) + ".running_mean" : "",
                       (conv ? conv->weight : dense->weight).dim(0)});
    }
  }
  std::vector<Bias> found;
};

// Says which of a normalisation's statistics has an impossible value; empty: none.
std::string wrong_statistics(const std::string& name, const Tensor& value) {
  const auto ends = [&](const char* ending) { return name.ends_with(ending); };
  const bool variance = ends("running_var") || ends("num_batches_tracked"), deviation = ends("running_sigma"),
             weight = ends("running_weight");
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
  static const std::map<std::string, void (*)(const std::string&, Tensor&)> readers = {
      {"F64", read_numbers<double>},     {"F32", read_numbers<float>},    {"F16", read_numbers<Half>},
      {"BF16", read_numbers<UpperHalf>}, {"I64", read_numbers<int64_t>},  {"U64", read_numbers<uint64_t>},
      {"I32", read_numbers<int32_t>},    {"U32", read_numbers<uint32_t>}, {"I16", read_numbers<int16_t>},
      {"U16", read_numbers<uint16_t>},   {"I8", read_numbers<int8_t>},    {"U8", read_numbers<uint8_t>}};
  const auto reader = readers.find(stored.dtype);
  if (stored.shape.size() > Shape::max_rank || reader == readers.end())
    fail(Fault::bad_file, "checkpoint: {} is {} of {} axes; only numbers, of at most {} axes, can be read", stored.name,
         stored.dtype, stored.shape.size(), Shape::max_rank);
  Shape shape;
  for (int64_t d : stored.shape) shape.push_back(d);
  Tensor t = Tensor::empty(shape);
  reader->second(stored.bytes, t);
  const real *begin = t.data(), *end = begin + t.size();
  if (const real* bad = std::find_if(begin, end, [](real v) { return !std::isfinite(v); }); bad != end)
    fail(Fault::bad_file, "checkpoint: {} holds {} at place {} of {}; every number must be finite", stored.name, *bad,
         bad - begin, t.size());
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
  const bool weights = part == Part::weights;
  const std::vector<Named> all = in_file(layer);
  const Names names = by_name(stored);
  const std::string prefix = weights ? wrapper_prefix(all, stored, names) : "";
  std::string wrong;
  std::set<std::string> known;
  auto found = [&](const std::string& name) {
    const auto at = names.find(prefix + name);
    if (at == names.end()) {
      wrong += fmt::format("\n  {}{} is missing", prefix, name);
      return static_cast<const StoredTensor*>(nullptr);
    }
    known.insert(at->second->name);
    return at->second;
  };
  // Everything is checked before anything is written, so that a wrong file changes nothing.
  std::vector<std::pair<Tensor, Tensor>> tensors;
  std::vector<std::pair<Random*, Random>> streams;
  std::map<std::string, Tensor> read;
  for (const Named& n : all) {
    const bool state = n.role == Role::state, count = n.role == Role::count;
    if (n.role == Role::stream) {
      if (weights) continue;
      const StoredTensor* s = found(n.name);
      if (!s) continue;
      uint64_t values[2] = {};
      if (s->dtype != "I64" || s->bytes.size() != sizeof values)
        wrong += fmt::format("\n  {} must be two I64", n.name);
      else
        std::memcpy(values, s->bytes.data(), sizeof values);
      streams.emplace_back(n.stream, Random(values[0], values[1]));
    } else if (weights && (state || count) && !names.contains(prefix + n.name)) {
      tensors.emplace_back(n.tensor, Tensor::full(n.tensor.shape(), real(state)));
    } else if (const StoredTensor* s = found(n.name)) {
      Tensor value = load(*s);
      if (value.shape().rank() == 4) value = to_channels_last(value);
      if (count && value.size() == n.tensor.size()) value = reshape(value, n.tensor.shape());
      if (value.shape() != n.tensor.shape())
        wrong += fmt::format("\n  {} has shape {}, the network needs {} (convolutions channels last)", s->name,
                             value.shape(), n.tensor.shape());
      if (!count && is_integer(s->dtype))
        wrong += fmt::format("\n  {} is {}; it must be one of F16, BF16, F32 and F64", s->name, s->dtype);
      wrong += wrong_statistics(s->name, value);
      tensors.emplace_back(n.tensor, value);
      read[n.name] = value;
    }
  }
  // Normalising x + b with `mean` equals normalising x with mean - b.
  for (const CancelledBiases::Bias& b : weights ? CancelledBiases(layer).found : std::vector<CancelledBiases::Bias>()) {
    const auto at = names.find(prefix + b.name);
    if (at == names.end()) continue;
    const StoredTensor* s = at->second;
    known.insert(s->name);
    const Tensor bias = load(*s);
    if (bias.shape() != Shape{b.size})
      wrong += fmt::format("\n  {} has shape {}, the network needs {}", s->name, bias.shape(), Shape{b.size});
    else if (const auto mean = read.find(b.mean); mean != read.end() && mean->second.size() == b.size)
      for (int64_t c = 0; c < b.size; ++c) mean->second.mutable_data()[c] -= bias.data()[c];
  }
  for (const StoredTensor& t : stored.tensors)
    if (!t.name.starts_with(own_prefix) && !known.contains(t.name) && !t.name.starts_with(prefix + own_prefix))
      wrong += fmt::format("\n  {} is nothing that the network has", t.name);
  if (!wrong.empty()) fail(Fault::bad_file, "checkpoint: it does not fit the network:{}", wrong);
  for (auto& [to, from] : tensors) to.copy_from(from);
  for (auto& [to, from] : streams) *to = from;
}

}  // namespace evenkeel
