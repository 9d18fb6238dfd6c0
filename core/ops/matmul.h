// Matrix products.
#pragma once
#include "epilogue.h"

namespace evenkeel {

// C = op(A) op(B), where op transposes if its flag is set. a and b have rank 2.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

// x W^T + bias, followed by `then`: x (N, in), w (out, in) -> (N, out); bias (out), or undefined.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {}, const Epilogue& then = {});

// OpenBLAS computes products from here on, or our own kernel again. Our kernel gives the same bits on every processor
// of one level; OpenBLAS's last bits depend on the processor that it finds. Not while anything is computed. Throws
// where the build has no OpenBLAS (EVENKEEL_BLAS=OFF).
void set_blas(bool on);

}  // namespace evenkeel
