// Batch normalisation (Ioffe and Szegedy 2015): per channel, over all rows of the batch; running averages for inference.
#pragma once
#include "layers/layer.h"

namespace evenkeel {

struct BatchNormOptions {
  real eps = real(1e-5);      // inside the root
  double new_weight = 0.1;    // weight of the new value in the running averages, in (0, 1]
  bool cumulative = false;    // instead: the t-th batch weighs 1/t, the plain mean of all batches
  bool unbiased = true;       // what the running variance holds: m/(m-1) times the batch's variance, or (false) the biased one.
                              // The normaliser itself always uses the biased one.
  bool affine = true;         // gamma and beta are learned; else they are 1 and 0
};

// Which statistics, and what moves:
//                 normalises with        running averages
//   Mode::train   the batch's            move (unless the batch is not finite: then skipped is counted)
//   Mode::probe   the batch's            stay
//   Mode::eval    the running averages   stay
//
// The running averages start at nothing and are bias-corrected: beside them stands their weight w <- (1 - a) w + a, which is
// 1 - (1-a)^t for a constant a, and average <- average + (a / w) (new - average) is the corrected average itself.
struct BatchNorm : Layer {
  explicit BatchNorm(int64_t channels, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  BatchNormOptions options;
  Owned gamma, beta;                 // (C)
  Owned running_mean, running_var;   // (C): corrected; 0 and 1 before the first batch
  Owned running_weight;              // (): w
  Owned batches;                     // (): how many have been averaged
  int64_t skipped = 0;               // batches that were not averaged because they held a value that is not finite

 private:
  void average(const Tensor& mean, const Tensor& var, int64_t rows);
};

}  // namespace evenkeel
