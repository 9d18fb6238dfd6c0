#include "layers/model/inference.h"

#include "layers/conv2d.h"
#include "layers/model/fold.h"

namespace evenkeel {
namespace {

struct PreparedConv : Layer {
  explicit PreparedConv(const Conv2d& conv)
      : filters(conv.weight, conv.options), bias(conv.bias), text(conv.describe()) {}
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override {
    if (mode != Mode::eval) refuse();
    return filters(x, bias, then);
  }
  void visit(Visitor&) override { refuse(); }
  bool pools() const override { return true; }
  Shape output_shape(const Shape& input) override {
    return one_example(conv2d_shape(batch_of_one(input), filters.w_shape(), filters.options()));
  }
  double multiply_adds(const Shape& input) override {
    return static_cast<double>(output_shape(input).rows()) * static_cast<double>(filters.w_shape().size());
  }
  std::string describe() const override { return text; }
  [[noreturn]] void refuse() const {
    fail(Fault::usage, "{}: prepare_inference() left only Mode::eval; train, inspect and save the network before it",
         text);
  }

  const PreparedFilters filters;
  const Owned bias;
  const std::string text;
};

void pack_filters(Sequential& network) {
  for (size_t i = 0; i < network.size(); ++i) {
    if (auto* residual = dynamic_cast<Residual*>(&network[i])) pack_filters(residual->body());
    if (const auto* conv = dynamic_cast<const Conv2d*>(&network[i]))
      network.replace(i, std::make_unique<PreparedConv>(*conv));
  }
}

}  // namespace

void prepare_inference(Sequential& network) {
  fold_batch_norms(network);
  pack_filters(network);
}

}  // namespace evenkeel
