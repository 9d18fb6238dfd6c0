// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) and its two adjoints, channels last.
#pragma once
#include <array>

#include "epilogue.h"

namespace evenkeel {

enum class ConvAlgorithm {
  automatic,  // by shape, the same for all three functions; see form_of() in conv.cpp
  direct,     // matrix products with patches of the image: any shape
  // Needs stride 1, a 3x3 or 5x5 kernel, at least 16 channels in and out of each group, and a result of at least 2x2.
  // A quarter of the multiplications or less, at most 20 times the error; core/kernels/winograd.h has the bounds.
  winograd
};

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;  // zeros on all four sides
  int64_t groups = 1;   // of channels and filters: a filter reads only the channels of its group
  ConvAlgorithm algorithm = ConvAlgorithm::automatic;
};

// y[n,p,q,k] = sum over r, s, c of x[n, p*stride + r - padding, q*stride + s - padding, c] w[k,r,s,c] plus bias[k], if
// there is one, followed by `then`. x (N, H, W, C), w (K, R, S, C), bias (K) -> (N, P, Q, K) with P = (H + 2 padding -
// R) / stride + 1, rounded down. With G groups w is (K, R, S, C / G), and filter k reads the C / G channels that begin
// at channel floor(k / (K / G)) C / G. G = C = K is a depthwise convolution. Error if G does not divide C and K, if
// stride < 1 or padding < 0, or if the kernel does not fit into the padded image.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {}, const Tensor& bias = {},
              const Epilogue& then = {});
// y's shape; checks as conv2d does.
Shape conv2d_shape(const Shape& x, const Shape& w, const ConvOptions& options = {});
// The adjoint in x: cotangent g (N, P, Q, K), w (K, R, S, C / G) -> x_shape (N, H, W, C).
Tensor conv2d_dx(const Tensor& g, const Tensor& w, const Shape& x_shape, const ConvOptions& options = {});
// The adjoint in w: x (N, H, W, C), g (N, P, Q, K) -> w_shape (K, R, S, C / G).
Tensor conv2d_dw(const Tensor& x, const Tensor& g, const Shape& w_shape, const ConvOptions& options = {});

// Packed filters for inference: a copy of w in each form that some x may need, in the precision that is set when the
// object is made, and for our products or OpenBLAS's. Error(Fault::usage) if it is used in another precision or after
// set_blas(). Immutable: any number of threads may share the object.
class PreparedFilters {
 public:
  PreparedFilters(const Tensor& w, const ConvOptions& options);
  const Shape& w_shape() const { return w_shape_; }
  const ConvOptions& options() const { return options_; }
  // conv2d(x, w, options, bias, then), without a derivative
  Tensor operator()(const Tensor& x, const Tensor& bias = {}, const Epilogue& then = {}) const;

 private:
  Shape w_shape_;
  ConvOptions options_;
  bool blas_;
  std::array<std::shared_ptr<const Storage>, 4> packed_;  // by the kernel's form; null: no x needs it
};

}  // namespace evenkeel
