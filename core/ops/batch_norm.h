// Batch normalisation (Ioffe and Szegedy 2015, Algorithm 1): fused kernels, and their definition, which also gives the
// higher derivatives.
#pragma once
#include <vector>

#include "../base/moments.h"
#include "epilogue.h"

namespace evenkeel {

// Of the rows [begin, end) of x (rows, C); Error if x lacks them or there are none.
Moments moments(const Tensor& x, int64_t begin, int64_t end);
Moments over_shards(Moments m);         // of the rows of all shards of a batch, merged in their order; see shards.h
Tensor rounded_mean(const Moments& m);  // (C)
Tensor biased_var(const Moments& m);    // (C), divided by the number of rows

inline constexpr real default_eps = real(1e-5);

struct Normalized {
  Tensor y;
  Tensor mean, var;  // (C), of this batch, var biased (1/m), constants, rounded: for the running averages
  double rows = 0;   // m
};

// x (rows, C), gamma (C), beta (C) -> (rows, C): per channel, over all rows,
//   mu = mean(x), var = mean((x - mu)^2), y = gamma (x - mu) / sqrt(var + eps) + beta, followed by `then`.
// Statistics are two-pass, in double across blocks; those that a convolution left with x (Epilogue::moments) are
// one-pass about a pivot. They are never E[x^2] - E[x]^2. The definitions first subtract the rounded mean as a
// constant. Neither the result nor a derivative depends on that constant, and no digits are lost, as the remaining mean
// is near 0. eps may be 0; a channel then has finite derivatives only if 1 / var is a finite `real`, and a constant
// channel gives NaN.
//
// In a shard (this_shard()) mean, var and their derivatives are those of the whole batch, over all shards. x, y and all
// gradients are the shard's own; the caller sums the gradients of gamma and beta over the shards.
//
// batch_norm: Error if the whole batch has fewer than two rows.
Normalized batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps = default_eps,
                      const Epilogue& then = {});
Tensor batch_norm_definition(const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps = default_eps,
                             const Epilogue& then = {});

// Inference: the same with mean and var given, (C), constants.
Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& gamma,
                            const Tensor& beta, real eps = default_eps, const Epilogue& then = {});

// For other norms. rounded(): the values rounded to `real`, (n). check_norm(): Error unless x has values, gamma and
// beta have one value per channel, eps is not negative, `then` has no pooling, and `add`, if given, has x's shape.
Tensor rounded(const std::vector<double>& values);
void check_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta, real eps,
                const Epilogue& then);
std::vector<Tensor> norm_inputs(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Epilogue& then);
// The epilogue of a definition that is called with norm_inputs().
Epilogue then_of(const std::vector<Tensor>& inputs, After after);
// Whether the vjp reads the result. After a ReLU with `add` it does: where the result is 0, so is the gradient. Without
// `add` it recomputes the sign from x.
bool norm_reads_result(const Epilogue& then);
// Whether the gradient is first pulled back through the epilogue, into memory; see Pull.
bool norm_pulls_first(const Epilogue& then);

}  // namespace evenkeel
