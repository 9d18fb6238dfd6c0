// check_layer: tests the rules for every layer. One line per layer: check_layer(MyLayer(...), Shape{4, 5, 5, 3});
#pragma once
#include <array>
#include <set>
#include <type_traits>

#include "../core/base/memory.h"
#include "../layers/model/checkpoint.h"
#include "check_grad.h"

namespace evenkeel {

// layer(x) in `mode`, where in[0] is x and the other inputs replace the parameters.
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
  struct Back {  // also if forward() throws
    Layer& layer;
    Swap& there;
    ~Back() {
      Swap back(there.before);
      layer.visit(back);
    }
  } back{layer, there};
  return layer.forward(in[0], mode);
}

// Describes a layer's first error, "" if there is none. x is a batch, away from the layer's kinks. In double also
// checks the gradients in every mode with respect to the input and all parameters, to second order.
template <class L>
std::string layer_fault(L layer, const Tensor& x) {
  std::string wrong;
  const auto need = [&](bool holds, const std::string& what) {
    if (!holds) wrong += (wrong.empty() ? "" : "\n") + what;
  };
  const auto same = [](const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && a.values() == b.values(); };
  const auto close = [](const Tensor& a, const Tensor& b) {  // up to rounding
    bool all = a.shape() == b.shape();
    for (int64_t i = 0; all && i < b.size(); ++i)
      all = std::abs(a.data()[i] - b.data()[i]) <= (sizeof(real) == 8 ? 1e-12 : 1e-5) * (1 + std::abs(b.data()[i]));
    return all;
  };
  const auto same_state = [](const SafeTensors& a, const SafeTensors& b) {
    bool equal = a.tensors.size() == b.tensors.size();
    for (size_t i = 0; equal && i < a.tensors.size(); ++i)
      equal = a.tensors[i].name == b.tensors[i].name && a.tensors[i].bytes == b.tensors[i].bytes;
    return equal;
  };
  const auto state = [](Layer& l) { return capture(l); };
  const auto overwrite = [](Layer& l) {  // everything that visit() names
    for (const Named& n : named(l))
      if (n.role == Named::Role::stream)
        *n.stream = Random(999);
      else
        std::fill_n(Tensor(n.tensor).mutable_data(), n.tensor.size(), real(7));
  };
  const std::vector<real> given = x.values();
  const Tensor other =
      map(x, [](real v) { return real(1.5) * v; });  // another batch: averages of x alone would stay as they are
  const auto finite = [](const Tensor& t) {
    const std::vector<real> all = t.values();
    return std::all_of(all.begin(), all.end(), [](real v) { return std::isfinite(v); });
  };
  const auto uses_all = [&](const Tensor& y, const Inputs& all, const char* otherwise) {
    std::set<int64_t> used;
    for (const Tensor& t : leaves(y)) used.insert(t.id());
    const std::vector<Parameter> trained = parameters(layer);
    for (size_t i = 0; i < trained.size(); ++i)
      need(used.contains(all[i].id()), trained[i].name + " is named by visit(), and forward() " + otherwise);
  };
  try {
    // visit() names all tensors once, also before the first batch, and every named tensor matters.
    named(layer);
    layer.forward(x, Mode::train);  // fills running statistics
    const SafeTensors before = state(layer);
    const Tensor probed = layer.forward(x, Mode::probe), evaluated = layer.forward(x, Mode::eval);
    if (!finite(probed) || !finite(evaluated)) return "its result is not finite";
    for (const Tensor& t : unnamed(layer, probed))
      need(false, fmt::format("a tracked tensor of shape {} is not named by visit()", t.shape()));
    uses_all(probed, values(parameters(layer)), "does not use it");
    const Shape said = layer.output_shape(one_example(x.shape())), made = one_example(probed.shape());
    need(said == made, fmt::format("output_shape() is {}, forward() makes {} of each example", said, made));

    // Of N examples it makes N results. In inference each depends on its own example alone.
    need(probed.shape().rank() > 0 && probed.dim(0) == x.dim(0),
         fmt::format("forward() makes {} of {}: the first axis must be the batch", probed.shape(), x.shape()));
    const Tensor first = layer.forward(gather_rows(x, {0}), Mode::eval);
    need(close(first, gather_rows(evaluated, {0})),
         "in inference an example's result depends on the other examples of the batch");

    // Mode::probe gives the result of training and changes nothing; Mode::eval is deterministic and changes nothing.
    need(same_state(state(layer), before), "a probe or an evaluation moves what visit() names");
    need(same(layer.forward(x, Mode::probe), probed), "two probes give different results");
    need(same(layer.forward(x, Mode::eval), evaluated), "two evaluations give different results");

    // A copy is independent of the layer; assignment keeps the layer's tensors.
    if constexpr (std::is_copy_constructible_v<L>) {
      L copy = layer;
      need(same(copy.forward(x, Mode::train), probed), "a copy does not train as the layer would");
      copy.forward(other, Mode::train);
      overwrite(copy);
      need(same_state(state(layer), before) && same(layer.forward(x, Mode::probe), probed) &&
               same(layer.forward(x, Mode::eval), evaluated),
           "a copy shares memory with the layer; its tensors must be Owned");
      if constexpr (std::is_copy_assignable_v<L>) {
        const std::vector<Named> own = named(copy);
        copy = layer;
        need(same_state(state(copy), before), "assigned from the layer, a copy does not have its values");
        const std::vector<Named> now = named(copy);
        for (size_t i = 0; i < own.size(); ++i)
          need(own[i].role == Named::Role::stream || own[i].tensor.id() == now[i].tensor.id(),
               "assigned from the layer, a copy has another tensor as its " + own[i].name +
                   ", and an optimiser the old one");
        overwrite(copy);
        need(same_state(state(layer), before), "assigned from the layer, a copy shares memory with it");
      }
    }

    // After saving and loading the results are the same, and no result depends on uninitialised memory.
    const Tensor trained = layer.forward(x, Mode::train);
    uses_all(trained, values(parameters(layer)), "does not use it");
    need(same(trained, probed), "a probe does not give what training gives");
    layer.forward(other, Mode::train);
    restore(layer, parse_safetensors(format_safetensors(before), "a checkpoint in memory"));
    need(same_state(state(layer), before), "what was saved and loaded is not what was saved");
    poison_memory(true);
    const bool restored = same(layer.forward(x, Mode::probe), probed) && same(layer.forward(x, Mode::eval), evaluated);
    poison_memory(false);
    need(restored, "saved, trained on and loaded it computes something else, or it reads memory that nobody wrote");

    // forward_then() equals forward() followed by the epilogue.
    const Tensor add = random(evaluated.shape());
    for (const Mode mode : {Mode::train, Mode::probe, Mode::eval})
      for (const After after : {After::nothing, After::relu, After::gelu})
        for (const bool pool : {false, true}) {
          if (pool && (!layer.pools() || add.shape()[1] < 2 || add.shape()[2] < 2)) continue;
          const Epilogue then{.add = pool ? Tensor() : add, .after = after, .pool = pool};
          const Tensor fused = layer.forward_then(x, mode, then);
          restore(layer, before);
          const Tensor plain = then(layer.forward(x, mode));
          restore(layer, before);
          need(close(fused, plain), fmt::format("forward_then() is not forward() and then {}{}",
                                                std::array{"an addition", "an addition and a ReLU",
                                                           "an addition and a GELU"}[static_cast<size_t>(after)],
                                                pool ? " and a pooling" : ""));
        }
    need(x.values() == given, "it writes to its input");

    // It keeps nothing of a batch's graph, and writes to nothing that a gradient needs.
    for (const Mode mode : {Mode::train, Mode::probe, Mode::eval}) {
      const int64_t before_it = live_nodes();
      {
        const Tensor in = x.clone().track(), y = layer.forward(in, mode);
        if (y.tracked()) grad(y, {in}, {.cotangent = Tensor::full(y.shape(), 1)});
      }
      need(live_nodes() == before_it,
           "it keeps tensors of a batch's graph: a member must be detach()ed, a vjp must not capture the op's result");
    }

    // It reads the parameters at every call.
    Inputs other_values;
    for (const Parameter& p : parameters(layer)) other_values.push_back(p.value.clone().track());
    Inputs in = other_values;
    in.insert(in.begin(), x);
    uses_all(with_parameters(layer, in, Mode::probe), other_values, "reads what was computed from it earlier");

    if constexpr (sizeof(real) == 8) {
      // Parameters are inputs of the function too: their values are copied into the layer's tensors.
      Inputs at{x};
      for (const Parameter& p : parameters(layer)) at.push_back(p.value);
      for (Mode mode : {Mode::probe, Mode::eval}) {
        const double error = grad_error([&](const Inputs& in) { return with_parameters(layer, in, mode); }, at, 2);
        need(error < 1e-7, fmt::format("its gradients {} are wrong by {}",
                                       mode == Mode::eval ? "in inference" : "in training", error));
      }
    }
  } catch (const Error& error) {
    poison_memory(false);
    need(false, error.what());
  }
  return wrong;
}

template <class L>
void check_layer(L layer, const Tensor& x) {
  const std::string described = layer.describe();
  CAPTURE(described);
  CHECK(layer_fault(std::move(layer), x) == "");
}

template <class L>
void check_layer(L layer, const Shape& shape) {
  check_layer(std::move(layer), random(shape));
}

}  // namespace evenkeel
