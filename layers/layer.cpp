#include "layers/layer.h"

#include <map>
#include <set>
#include <utility>

namespace evenkeel {

Owned& Owned::operator=(const Owned& other) {
  if (this == &other) return *this;
  if (!defined()) return *this = Owned(other);
  check(other.defined() && other.shape() == shape() && other.tracked() == tracked(),
        "copy of a layer: a tensor of {}{} cannot take over {}: an optimiser would go on with the old one; make a new "
        "layer instead",
        shape(), tracked() ? ", trained," : "",
        other.defined() ? fmt::format("one of {}{}", other.shape(), other.tracked() ? ", trained" : "") : "none");
  copy_from(other);
  return *this;
}

void Visitor::child(const std::string& name, Layer& layer) {
  const std::string before = prefix_;
  prefix_ += name + ".";
  layer.visit(*this);
  prefix_ = before;
}

std::vector<Named> named(Layer& layer) {
  struct Collect : Visitor {
    explicit Collect(Layer& root) : at(&root) {}
    void parameter(const std::string& name, Tensor& value, bool decay) override {
      tensor(Named::Role::parameter, name, value);
      need(value.tracked() && !value.node()->vjp, fmt::format("visit() names the parameter {}, which is not tracked: "
                                                              "call track() where it is made, or name it by buffer()",
                                                              full_name(name)));
      found.back().decay = decay;
    }
    void buffer(const std::string& name, Tensor& value) override { tensor(Named::Role::buffer, name, value); }
    void count(const std::string& name, Tensor& value) override { tensor(Named::Role::count, name, value); }
    void state(const std::string& name, Tensor& value) override { tensor(Named::Role::state, name, value); }
    void stream(const std::string& name, Random& value) override {
      once(full_name(name));
      found.push_back({.role = Named::Role::stream, .name = full_name(name), .stream = &value});
    }
    void child(const std::string& name, Layer& layer) override {
      once(full_name(name));
      Layer* const above = std::exchange(at, &layer);
      const std::string outside = std::exchange(where, full_name(name));
      Visitor::child(name, layer);
      at = above, where = outside;
    }

    void tensor(Named::Role role, const std::string& name, const Tensor& value) {
      once(full_name(name));
      need(value.defined(),
           fmt::format("visit() names {}, and there is no tensor; name it only where it is defined", full_name(name)));
      const auto [first, is_new] = owners.emplace(value.storage().get(), full_name(name));
      need(is_new,
           fmt::format(
               "visit() names one tensor {} and {}: name it once; tensors of a layer that may be copied must be Owned",
               first->second, full_name(name)));
      found.push_back({.role = role, .name = full_name(name), .tensor = value});
    }
    void once(const std::string& name) {
      need(names.insert(name).second, fmt::format("visit() names {} twice; every name must be its own", name));
    }
    void need(bool holds, const std::string& what) const {
      if (!holds) fail(Fault::usage, "layer {}({}): {}", where.empty() ? "" : where + " ", at->describe(), what);
    }

    std::vector<Named> found;
    std::set<std::string> names;
    std::map<const Storage*, std::string> owners;
    Layer* at;  // the current layer, and its name
    std::string where;
  } collect(layer);
  layer.visit(collect);
  return std::move(collect.found);
}

std::vector<Parameter> parameters(Layer& layer) {
  std::vector<Parameter> found;
  for (Named& n : named(layer))
    if (n.role == Named::Role::parameter) found.push_back({std::move(n.name), std::move(n.tensor), n.decay});
  return found;
}

std::vector<Tensor> unnamed(Layer& layer, const Tensor& y) {
  std::set<int64_t> known;
  for (const Parameter& p : parameters(layer)) known.insert(p.value.id());
  std::vector<Tensor> all = leaves(y);
  std::erase_if(all, [&](const Tensor& t) { return known.contains(t.id()); });
  return all;
}

std::vector<Tensor> values(const std::vector<Parameter>& parameters) {
  std::vector<Tensor> all;
  for (const Parameter& p : parameters) all.push_back(p.value);
  return all;
}

int64_t parameter_count(Layer& layer) {
  int64_t n = 0;
  for (const Parameter& p : parameters(layer)) n += p.value.size();
  return n;
}

Shape Layer::output_shape(const Shape& input) {
  Recording off(false);
  return one_example(forward(Tensor::zeros(batch_of_one(input)), Mode::eval).shape());
}

Shape batch_of_one(const Shape& example) {
  Shape batch{1};
  for (int i = 0; i < example.rank(); ++i) batch.push_back(example[i]);
  return batch;
}

Shape one_example(const Shape& batch) {
  Shape example;
  for (int i = 1; i < batch.rank(); ++i) example.push_back(batch[i]);
  return example;
}

}  // namespace evenkeel
