// Matrix products.
#pragma once
#include "epilogue.h"

namespace evenkeel {

// op(a) op(b), where op transposes if its flag is set: (m, k) times (k, n) -> (m, n).
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

// x W^T + bias, followed by `then`: x (N, in), w (out, in) -> (N, out); bias (out), or undefined.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {}, const Epilogue& then = {});

// Chooses OpenBLAS for products, or our own kernel (the default). Our kernel gives the same bits on every processor of
// one level; OpenBLAS's last bits depend on the processor. Do not call it during a computation. Throws
// Error(Fault::missing) if the build has no OpenBLAS (EVENKEEL_BLAS=OFF).
void set_blas(bool on);

// The precision of matmul, linear, conv2d and their derivatives. Depthwise convolutions, which are not matrix
// products, and those with ConvAlgorithm::winograd stay in float32.
enum class Precision {
  float32,  // the default
  bf16      // inputs are rounded to bf16, 8 significant bits; sums, results and all else stay float32
};

// Whether the processor computes bf16 products in hardware (AMX). Elsewhere they have nearly the same results, and take
// hundreds of times as long.
bool bf16_in_hardware();

// Sets the precision of the calling thread's products for the lifetime of the object. Weights are stored in float32 in
// either case, so they can be used in both. Convolutions are direct in bf16: Winograd's transforms would amplify the
// rounding. Throws Error(Fault::usage) for bf16 in the library of double.
class UsePrecision {
 public:
  explicit UsePrecision(Precision precision);
  ~UsePrecision();
  UsePrecision(const UsePrecision&) = delete;
  UsePrecision& operator=(const UsePrecision&) = delete;

 private:
  bool before_;
};

}  // namespace evenkeel
