// Matrix products.
#pragma once
#include "epilogue.h"

namespace evenkeel {

// C = op(A) op(B), where op transposes if its flag is set, followed by `then`. a and b have rank 2.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false,
              const Epilogue& then = {});

}  // namespace evenkeel
