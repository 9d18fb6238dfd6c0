// Group, layer and instance normalisation: a fused kernel, and its definition, which also gives the higher derivatives.
#pragma once
#include "epilogue.h"

namespace evenkeel {

void check_groups(const Shape& x, int64_t groups);  // checks as group_norm does
// x (N, ..., C), gamma (C), beta (C) -> x's shape: y = gamma (x - mu) / sqrt(var + eps) + beta, followed by `then`. mu
// and the biased var are those of each example and each group of C / groups neighbouring channels, over all positions
// (Wu and He 2018). One group is layer normalisation over all features of an example; C groups is instance
// normalisation. eps as in batch_norm(). Error unless `groups` divides C and each group of an example has at least two
// values.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps = real(1e-5),
                  const Epilogue& then = {});
Tensor group_norm_definition(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta,
                             real eps = real(1e-5), const Epilogue& then = {});
inline Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps = real(1e-5),
                         const Epilogue& then = {}) {
  return group_norm(x, 1, gamma, beta, eps, then);
}

}  // namespace evenkeel
