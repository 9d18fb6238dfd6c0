// Batch normalisation (Ioffe and Szegedy 2015): per channel, over all rows of the batch; running averages for
// inference.
#pragma once
#include <functional>

#include "norm_options.h"

namespace evenkeel {

struct BatchNormOptions {
  real eps = NormOptions().eps;
  // Every row weighs the same, so that the t-th of equal batches weighs 1/t; also after recalibrate(). Where a file
  // does not say how many rows its averages stand for, each of its num_batches_tracked batches weighs as much as the
  // next one, which is PyTorch's rule.
  bool cumulative = false;
  double new_weight = 0.1;
  // m/(m-1) times the batch's variance, or (false) the biased one. The normaliser itself always uses the biased one.
  bool unbiased = true;
  bool affine = true;   // else gamma and beta are 1 and 0
  bool gamma = true;    // else gamma is 1 beside a beta that is learned
  bool frozen = false;  // gamma and beta are trained all the same
  int64_t ghost = 0;    // as many equal parts of at least so many examples as there can be

  static void each(auto& o, auto&& option) {
    option("eps", o.eps, norm_eps, "inside the root");
    option("average", o.cumulative, Words{"exponential", "cumulative"}, "how the running averages move");
    option("new", o.new_weight, Range{1e-9, 1},
           "weight of the new value in the running averages: PyTorch's momentum, 1 - Keras'");
    option("variance", o.unbiased, Words{"biased", "unbiased"}, "what the running variance holds");
    option("affine", o.affine, Words{"off", "on"}, "gamma and beta are learned");
    option("gamma", o.gamma, Words{"off", "on"}, "gamma is learned; off: it is 1 beside a beta that is learned");
    option("frozen", o.frozen, Words{"off", "on"}, "the running averages normalise in every mode and never move");
    option("ghost", o.ghost, Range{0, 1 << 20},
           "examples of a ghost batch (Hoffer et al. 2017), each normalised by "
           "itself; 0: the batch is not cut");
  }
};

// What normalises with a batch's statistics in training and with running ones in inference, for instruments.
struct RunningNorm : Layer {
  // Inference is gamma (x - mean) / sqrt(var) + beta: (C), eps included in var.
  struct Statistics {
    Tensor mean, var;
  };
  virtual Statistics statistics() const = 0;
  Shape output_shape(const Shape& input) override {
    check(input.channels() == gamma.size() && input.size() > 0, "{}: x must have values in {} channels, got {}",
          describe(), gamma.size(), batch_of_one(input));
    return input;
  }
  Epilogue inference() const;  // the scale and the shift that it is in inference
  // To those of a population of so many rows, as one batch that weighs all: averages, their weight and their counts.
  // They are written by this alone: beside a weight of 0 the first training step would drop them, and it refuses
  // instead.
  virtual void set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) = 0;
  virtual real epsilon() const = 0;

  Owned gamma, beta;                         // (C)
  std::function<void(const Tensor&)> watch;  // sees every input, if set
  int64_t skipped = 0;                       // batches that were not averaged because a mean or variance was not finite

 protected:
  // Before the first batch is averaged: the averages must be as they were made, 0 and 1.
  void check_unset(const Tensor& mean, const Tensor& spread) const;
};

// average <- keep average + weight value, per channel, computed in double. It is not inline: how a compiler fuses this
// sum differs from place to place, and norms that are equal by definition must move by the same bits.
void move_average(Tensor& average, double keep, double weight, const Tensor& value);

// Which statistics, and what moves:
//                 normalises with        running averages
//   Mode::train   the batch's            move (unless the batch is not finite: then skipped is counted)
//   Mode::probe   the batch's            stay
//   Mode::eval    the running averages   stay
//
// The running averages start at nothing and are bias-corrected: beside them stands their weight w <- (1 - a) w + a,
// which is 1 - (1-a)^t for a constant a, and average <- average + (a / w) (new - average) is the corrected average
// itself.
struct BatchNorm : RunningNorm {
  explicit BatchNorm(int64_t channels, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  Statistics statistics() const override;
  void set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) override;
  real epsilon() const override { return options.eps; }

  BatchNormOptions options;
  Owned running_mean, running_var;  // (C): corrected; 0 and 1 before the first batch
  Owned running_weight;             // (): w
  Owned batches;                    // (): how many have been averaged
  Owned running_rows;               // (): how many rows have been; 1: a file did not say
  // Which rows count in a batch's statistics, one number for each, 1 or 0 (padding of sequences); undefined: all of
  // them. To be set before forward(); the rows that do not count must be finite, and are normalised with the others'
  // statistics.
  Tensor mask;

 private:
  struct Rows {
    double all, each;  // of a batch that count, and of each of its ghost batches
  };
  Normalized normalise(const Tensor& x, const NormOptions& norm, Rows& rows) const;
  void average(const Tensor& mean, const Tensor& var, const Rows& rows);
};

}  // namespace evenkeel
