// check_layer: what every layer must do. One line a layer: check_layer(MyLayer(...), Shape{4, 5, 5, 3});
#pragma once
#include <set>
#include <type_traits>

#include "core/memory.h"
#include "layers/checkpoint.h"
#include "tests/check_grad.h"

namespace evenkeel {

// layer(x) in `mode`, with in[0] as x and the others in place of its parameters.
inline Tensor with_parameters(Layer& layer, const Inputs& in, Mode mode) {
  struct Swap : Visitor {
    explicit Swap(const Inputs& tensors) : to(tensors) {}
    void parameter(const std::string&, Tensor& value, bool) override {
      before.push_back(value);
      value = to[before.size() - 1];
    }
    Inputs to, before;
  };
  Swap there(Inputs(in.begin() + 1, in.end()));
  layer.visit(there);
  struct Back {  // also where forward() throws
    Layer& layer;
    Swap& there;
    ~Back() {
      Swap back(there.before);
      layer.visit(back);
    }
  } back{layer, there};
  return layer.forward(in[0], mode);
}

// x is a batch, away from kinks where the layer has them. In double: the gradients in every mode, by the input and by all parameters, to second order.
template <class L>
void check_layer(L layer, const Tensor& x) {
  const std::string described = layer.describe();
  CAPTURE(described);
  auto same = [](const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && a.values() == b.values(); };

  // Names are unique, parameters are tracked leaves.
  std::set<std::string> names;
  for (const Parameter& p : parameters(layer)) {
    CHECK(names.insert(p.name).second);
    CHECK(p.value.tracked());
  }
  auto state = [](Layer& l) { return capture(l); };
  auto same_state = [](const SafeTensors& a, const SafeTensors& b) {
    bool same = a.tensors.size() == b.tensors.size();
    for (size_t i = 0; same && i < a.tensors.size(); ++i) same = a.tensors[i].name == b.tensors[i].name && a.tensors[i].bytes == b.tensors[i].bytes;
    return same;
  };

  // A probe gives what training gives and moves nothing; evaluation is deterministic and moves nothing.
  layer.forward(x, Mode::train);  // so that running statistics are those of data
  const SafeTensors before = state(layer);
  const Tensor probed = layer.forward(x, Mode::probe), evaluated = layer.forward(x, Mode::eval);
  CHECK(same_state(state(layer), before));
  CHECK(same(layer.forward(x, Mode::eval), evaluated));

  if constexpr (std::is_copy_constructible_v<L>) {  // copies are independent
    L copy = layer;
    CHECK(same(copy.forward(x, Mode::train), probed));
    for (const Parameter& p : parameters(copy)) std::fill_n(Tensor(p.value).data(), p.value.size(), real(7));
    CHECK(same_state(state(layer), before));
  }

  // Saved and loaded it does the same, and nothing that it computes depends on memory that nobody wrote.
  const Tensor trained = layer.forward(x, Mode::train);
  CHECK(same(trained, probed));
  restore(layer, parse_safetensors(format_safetensors(before), "a checkpoint in memory"));
  CHECK(same_state(state(layer), before));
  poison_memory(true);
  CHECK(same(layer.forward(x, Mode::probe), probed));
  CHECK(same(layer.forward(x, Mode::eval), evaluated));
  poison_memory(false);

  // The epilogue is what it says.
  const Tensor add = random(evaluated.shape());
  const Tensor fused = layer.forward_then(x, Mode::eval, {.add = add, .relu = true}), plain = relu(evaluated + add);
  for (int64_t i = 0; i < plain.size(); ++i) CHECK(fused.data()[i] == doctest::Approx(plain.data()[i]).epsilon(1e-12));

  if constexpr (sizeof(real) == 8) {
    // Parameters are inputs of the function too: their values are put into the layer's own tensors.
    std::vector<Parameter> own = parameters(layer);
    Inputs at{x};
    for (const Parameter& p : own) at.push_back(p.value);
    for (Mode mode : {Mode::probe, Mode::eval})
      check_grad([&](const Inputs& in) { return with_parameters(layer, in, mode); }, at, 2);
  }
}

template <class L>
void check_layer(L layer, const Shape& shape) {
  check_layer(std::move(layer), random(shape));
}

}  // namespace evenkeel
