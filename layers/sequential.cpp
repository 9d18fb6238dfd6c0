#include "layers/sequential.h"

#include <algorithm>
#include <cmath>

#include "layers/activation.h"
#include "layers/pooling.h"

namespace evenkeel {
namespace {

After fused(const Layer& layer) {
  const auto* activation = dynamic_cast<const Activation*>(&layer);
  if (!activation) return After::nothing;
  if (activation->function == static_cast<Activation::Function>(relu)) return After::relu;
  return activation->function == static_cast<Activation::Function>(gelu) ? After::gelu : After::nothing;
}

// Whether this is the pooling that a convolution can do in its epilogue.
bool fused_pool(const Layer& layer) {
  const auto* pool = dynamic_cast<const MaxPool*>(&layer);
  if (!pool) return false;
  const PoolOptions& o = pool->options;
  return o.size == 2 && (o.stride == 0 || o.stride == 2) && o.padding == 0;
}

bool all_finite(const Tensor& x) {
  return std::all_of(x.data(), x.data() + x.size(), [](real v) { return std::isfinite(v); });
}

}  // namespace

size_t Sequential::checked(size_t i) const {
  check(i < layers_.size(), "sequential: there is no layer {}; it has {}", i, layers_.size());
  return i;
}

LayerPtr Sequential::given(LayerPtr layer) {
  check(layer != nullptr, "sequential: a layer is null (moved from?)");
  return layer;
}

Tensor Sequential::forward_then(const Tensor& x, Mode mode, const Epilogue& then) {
  if (layers_.empty()) return then(x);
  if (frozen == 0 || mode == Mode::eval) return run(x, mode, then, 0, layers_.size());
  const size_t first = std::min(frozen, layers_.size());
  Tensor y;
  {
    const Recording off(false);
    y = run(x, Mode::eval, {}, 0, first).detach();
  }
  return first == layers_.size() ? then(y) : run(y, mode, then, first, layers_.size());
}

Tensor Sequential::run(const Tensor& x, Mode mode, const Epilogue& then, size_t begin, size_t stop) {
  Tensor y = x;
  for (size_t i = begin; i < stop;) {
    Epilogue next;
    size_t end = i + 1;
    if (end < stop) next.after = fused(*layers_[end]);
    if (next.after != After::nothing) ++end;
    if (end < stop) next.pool = layers_[i]->pools() && fused_pool(*layers_[end]);
    if (next.pool) ++end;
    if (end < stop) next.moments = layers_[end]->reads_moments(mode);
    if (end == stop) {
      // The last layer also gets the whole network's epilogue, after its own activation and pooling.
      if (next.after != After::nothing || next.pool) return then(layers_[i]->forward_then(y, mode, next));
      next = then;
    }
    y = layers_[i]->forward_then(y, mode, next);
    i = end;
  }
  return y;
}

std::vector<Parameter> Sequential::trained_parameters() {
  std::vector<Parameter> all = parameters(*this);
  std::erase_if(all, [&](const Parameter& p) { return std::stoull(p.name) < frozen; });  // "3.body.0.weight"
  return all;
}

void Sequential::visit(Visitor& visitor) {
  for (size_t i = 0; i < layers_.size(); ++i) visitor.child(std::to_string(i), *layers_[i]);
}

std::string Sequential::describe() const {
  std::string s;
  for (const LayerPtr& layer : layers_) s.append(s.empty() ? "" : " ").append(layer->describe());
  return s;
}

Shape Sequential::output_shape(const Shape& input) {
  Shape shape = input;
  for (const LayerPtr& layer : layers_) shape = layer->output_shape(shape);
  return shape;
}

double Sequential::multiply_adds(const Shape& input) {
  double sum = 0;
  Shape shape = input;
  for (const LayerPtr& layer : layers_) {
    sum += layer->multiply_adds(shape);
    shape = layer->output_shape(shape);
  }
  return sum;
}

Tensor Residual::shortcut(const Tensor& x) const {
  // Averages over windows of one pixel take every stride-th pixel.
  const Tensor small = stride_ == 1 ? x : avg_pool(x, {.size = 1, .stride = stride_});
  if (channels_ == 0 || channels_ == x.channels()) return small;
  return embed_channels(small, (channels_ - x.channels()) / 2, channels_);
}

Shape Residual::output_shape(const Shape& input) {
  Shape shortcut = input;
  if (stride_ != 1) shortcut = one_example(pool_shape("avg_pool", batch_of_one(input), {.size = 1, .stride = stride_}));
  if (channels_ != 0) shortcut = shortcut.with_channels(channels_);
  const Shape out = body_->output_shape(input);
  check(out == shortcut, "{}: its layers make {} of {}, its shortcut {}", describe(), out, input, shortcut);
  return out;
}

Tensor Residual::forward_then(const Tensor& x, Mode mode, const Epilogue& then) {
  if (then.add.defined()) return then(forward(x, mode));
  return body_->forward_then(x, mode, {.add = shortcut(x), .after = then.after});
}

std::string first_non_finite(Sequential& network, const Tensor& x, Mode mode) {
  Recording off(false);
  if (!all_finite(x)) return "the input";
  Tensor y = x;
  for (size_t i = 0; i < network.size(); ++i) {
    y = network[i].forward(y, network.mode_of(i, mode));
    if (!all_finite(y)) return fmt::format("layer {} ({})", i, network[i].describe());
  }
  return "";
}

}  // namespace evenkeel
