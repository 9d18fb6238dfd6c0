// Norms that use a batch's statistics in training and running averages in inference.
#pragma once
#include <functional>

#include "norm_options.h"

namespace evenkeel {

struct RunningNorm : Layer {
  explicit RunningNorm(int64_t channels);
  // Inference is gamma (x - mean) / sqrt(var) + beta: (C), eps included in var.
  struct Statistics {
    Tensor mean, var;
  };
  virtual Statistics statistics() const = 0;
  // Sets the averages, their weight and their counts to those of a population of `rows` rows; mean and biased_var (C).
  // Error unless rows is finite and at least 2, means are finite, and variances from 0 to half of the largest number.
  // Do not write the averages directly: with a weight of 0 the first training step would replace them, so it throws
  // Error. An override begins with a call of this one, which checks, and sets the mean and the weight.
  virtual void set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) = 0;
  virtual real epsilon() const = 0;
  Shape output_shape(const Shape& input) override;

  Owned gamma, beta;  // (C)
  // The averages are bias-corrected (Kingma and Ba 2015, section 3). Their weight w <- (1 - a) w + a is kept beside
  // them; it is 1 - (1 - a)^t for a constant a. Then
  //   average <- average + (a / w) (new - average)
  // is the corrected average.
  Owned running_mean;                        // (C): 0 before the first batch
  Owned running_weight;                      // (): w
  Owned batches;                             // (): how many have been averaged
  std::function<void(const Tensor&)> watch;  // sees every input, if set
  int64_t skipped = 0;                       // batches that were not averaged because a mean or variance was not finite

 protected:
  // Moves running_mean and `spread`, the norm's other average, towards a batch's mean and `factor` times its spread,
  // all (C), in double, and counts the batch. If these are not finite, increments `skipped` and returns false.
  bool move_averages(double a, const Tensor& mean, Tensor& spread, const Tensor& batch_spread, double factor = 1);
};

}  // namespace evenkeel
