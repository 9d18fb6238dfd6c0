// Sequential: layers one after the other, y = f_n(... f_1(x)). Residual: y = body(x) + shortcut(x).
#pragma once
#include <concepts>
#include <type_traits>

#include "layer.h"

namespace evenkeel {

class Sequential : public Layer {
 public:
  Sequential() = default;
  // Sequential net{Flatten(), Dense(784, 10, random)};
  // Braces make the layers in order, as draws from `random` need; Sequential net(Relu(), Tanh()) declares a function.
  template <class... Layers>
  requires(std::derived_from<std::remove_cvref_t<Layers>, Layer>&&...) explicit Sequential(Layers&&... layers) {
    (add(std::make_unique<std::remove_cvref_t<Layers>>(std::forward<Layers>(layers))), ...);
  }
  Sequential(Sequential&&) = default;
  Sequential& operator=(Sequential&&) = default;

  void add(LayerPtr layer) { layers_.push_back(given(std::move(layer))); }  // Error if it is null
  size_t size() const { return layers_.size(); }
  Layer& operator[](size_t i) { return *layers_[checked(i)]; }  // here and below: Error unless i < size()
  // An optimiser that was made before keeps the replaced layer's parameters: make it anew.
  void replace(size_t i, LayerPtr layer) { layers_[checked(i)] = given(std::move(layer)); }
  void erase(size_t i) { layers_.erase(layers_.begin() + static_cast<std::ptrdiff_t>(checked(i))); }

  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  // A ReLU or GELU, and a max pooling of 2x2 pixels behind it, are fused into the layer before them, if it can.
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  Shape output_shape(const Shape& input) override;
  double multiply_adds(const Shape& input) override;

  // The first `frozen` layers always run in Mode::eval and are not recorded: their weights get no gradient, and their
  // running averages do not move.
  size_t frozen = 0;
  Mode mode_of(size_t i, Mode mode) const { return i < frozen ? Mode::eval : mode; }
  // The parameters of the other layers, for the optimiser: weight decay and momentum would move the frozen ones too.
  std::vector<Parameter> trained_parameters();

 private:
  Tensor run(const Tensor& x, Mode mode, const Epilogue& then, size_t begin, size_t stop);
  size_t checked(size_t i) const;
  static LayerPtr given(LayerPtr layer);

  std::vector<LayerPtr> layers_;
};

// y = body(x) + shortcut(x). The shortcut is the identity; if the body has strides or adds channels, it takes every
// stride-th pixel and pads the channels with zeros on both sides (He et al. 2015, option A: no parameters). Error if
// body and shortcut have different shapes.
class Residual : public Layer {
 public:
  // channels 0: as many as x has. Error if body is null.
  explicit Residual(std::unique_ptr<Sequential> body, int64_t stride = 1, int64_t channels = 0)
      : body_(std::move(body)), stride_(stride), channels_(channels) {
    check(body_ != nullptr, "residual: its body is null (moved from?)");
  }
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  void visit(Visitor& visitor) override { visitor.child("body", *body_); }
  std::string describe() const override { return "residual(" + body_->describe() + ")"; }
  Shape output_shape(const Shape& input) override;
  double multiply_adds(const Shape& input) override { return body_->multiply_adds(input); }
  Sequential& body() { return *body_; }
  int64_t stride() const { return stride_; }

 private:
  Tensor shortcut(const Tensor& x) const;

  std::unique_ptr<Sequential> body_;
  int64_t stride_, channels_;
};

// The first layer (its name and description) whose output on x is not finite, or "" if all are.
std::string first_non_finite(Sequential& network, const Tensor& x, Mode mode = Mode::probe);

}  // namespace evenkeel
