#include "layers/layer.h"

namespace evenkeel {

void Visitor::child(const std::string& name, Layer& layer) {
  const std::string before = prefix_;
  prefix_ += name + ".";
  layer.visit(*this);
  prefix_ = before;
}

std::vector<Parameter> parameters(Layer& layer) {
  struct Collect : Visitor {
    std::vector<Parameter> found;
    void parameter(const std::string& name, Tensor& value, bool decay) override { found.push_back({full_name(name), value, decay}); }
  } collect;
  layer.visit(collect);
  return std::move(collect.found);
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

Shape output_shape(Layer& layer, const Shape& input) {
  Recording off(false);
  Shape one{1};
  for (int i = 0; i < input.rank(); ++i) one.push_back(input[i]);
  const Shape y = layer.forward(Tensor::zeros(one), Mode::eval).shape();
  Shape out;
  for (int i = 1; i < y.rank(); ++i) out.push_back(y[i]);
  return out;
}

}  // namespace evenkeel
