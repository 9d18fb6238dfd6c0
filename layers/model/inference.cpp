#include "layers/model/inference.h"

#include "layers/conv2d.h"
#include "layers/norm/batch_norm.h"

namespace evenkeel {
namespace {

struct PreparedConv : Layer {
  PreparedConv(const Conv2d& conv, const Epilogue& norm)
      : filters(conv.weight, conv.options), line(norm.after_bias(conv.bias)), text(conv.describe()) {}
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override {
    check(mode == Mode::eval, "{}: this network was made ready for inference, and can do nothing else", text);
    if (then.per_channel()) return then(forward(x, mode));
    return filters(x, {.scale = line.scale, .shift = line.shift, .add = then.add, .relu = then.relu});
  }
  Shape output_shape(const Shape& input) override {
    return one_example(conv2d_shape(batch_of_one(input), filters.w_shape(), filters.options()));
  }
  double multiply_adds(const Shape& input) override {
    return static_cast<double>(output_shape(input).rows()) * static_cast<double>(filters.w_shape().size());
  }
  std::string describe() const override { return text; }

  const PreparedFilters filters;
  const Epilogue line;
  const std::string text;
};

}  // namespace

void prepare_inference(Sequential& network) {
  const Recording off(false);
  for (size_t i = 0; i < network.size(); ++i) {
    if (auto* residual = dynamic_cast<Residual*>(&network[i])) prepare_inference(residual->body());
    const auto* conv = dynamic_cast<const Conv2d*>(&network[i]);
    if (!conv) continue;
    const auto* norm = i + 1 < network.size() ? dynamic_cast<const RunningNorm*>(&network[i + 1]) : nullptr;
    auto prepared = std::make_unique<PreparedConv>(*conv, norm ? norm->inference() : Epilogue());
    if (norm) network.erase(i + 1);
    network.replace(i, std::move(prepared));
  }
}

}  // namespace evenkeel
