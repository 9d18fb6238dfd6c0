// Batch normalisation (Ioffe and Szegedy 2015, Algorithm 1) and its relatives: fused kernels, and the definitions that say
// what the kernels must compute, which are also their higher derivatives.
#pragma once
#include <vector>

#include "core/engine/autograd.h"

namespace evenkeel {

// Mean and sum of squared deviations of each channel over `count` rows: what all of these are made of. In double, as a mean that
// is rounded to float lacks a part of up to 5e-4 deviations where it is 1e4 of them.
struct Moments {
  explicit Moments(int64_t channels = 0) : mean(static_cast<size_t>(channels)), squares(static_cast<size_t>(channels)) {}
  void merge(const Moments& other);  // other rows of the same channels
  Tensor rounded_mean() const;       // (C)
  Tensor biased_var() const;         // (C)

  double count = 0;
  std::vector<double> mean, squares;
};
Moments moments(const Tensor& x, int64_t begin, int64_t end);  // of the rows [begin, end) of x (rows, C)

struct NormOptions {
  real eps = real(1e-5);  // inside the root: sqrt(var + eps)
  // What follows in the same pass: y = relu(normalised + add), each part if asked for.
  Tensor add = {};  // of x's shape
  bool relu = false;
};

struct Normalized {
  Tensor y;
  Tensor mean, var;  // (C), of this batch, var biased (1/m), constants, rounded: for the running averages
};

// x (rows, C), gamma (C), beta (C) -> (rows, C): per channel, over all rows,
//   mu = mean(x), var = mean((x - mu)^2), y = gamma (x - mu) / sqrt(var + eps) + beta.
// Statistics are two-pass, in double across blocks: never E[x^2] - E[x]^2. The definitions first
// subtract the rounded mean as a constant. Neither the result nor a derivative depends on that constant, and no digits
// are lost, as the remaining mean is near 0.
Normalized batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options = {});
Tensor batch_norm_definition(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options = {});

// Inference: the same with mean and var given, (C), constants.
Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& gamma, const Tensor& beta,
                            const NormOptions& options = {});

// x (N, ..., C), gamma (C), beta (C): per example and per group of C / groups neighbouring channels, over all positions (Wu and He
// 2018). One group is layer normalisation over all features of an example; C groups is instance normalisation.
void check_groups(const Shape& x, int64_t groups);  // refuses what group_norm refuses
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps = real(1e-5));
Tensor group_norm_definition(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta, real eps = real(1e-5));
inline Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps = real(1e-5)) {
  return group_norm(x, 1, gamma, beta, eps);
}

}  // namespace evenkeel
