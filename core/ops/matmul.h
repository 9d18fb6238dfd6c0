// Matrix products.
#pragma once
#include "epilogue.h"

namespace evenkeel {

// C = op(A) op(B), where op transposes if its flag is set. a and b have rank 2.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

// x W^T + bias, followed by `then`: x (N, in), w (out, in) -> (N, out); bias (out), or undefined.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {}, const Epilogue& then = {});

// Chooses OpenBLAS for products, or our own kernel (the default). Our kernel gives the same bits on every processor of
// one level; OpenBLAS's last bits depend on the processor. Do not call it during a computation. Throws
// Error(Fault::missing) if the build has no OpenBLAS (EVENKEEL_BLAS=OFF).
void set_blas(bool on);

}  // namespace evenkeel
