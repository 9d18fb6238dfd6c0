// Batch normalisation (Ioffe and Szegedy 2015): per channel, over all rows of the batch; running averages for
// inference.
#pragma once
#include "running_norm.h"

namespace evenkeel {

struct BatchNormOptions {
  real eps = default_eps;
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

// Which statistics, and what moves:
//                 normalises with        running averages
//   Mode::train   the batch's            move (unless the batch is not finite: then skipped is counted)
//   Mode::probe   the batch's            stay
//   Mode::eval    the running averages   stay
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
  Owned running_var;   // (C): 1 before the first batch
  Owned running_rows;  // (): how many rows have been averaged; 1: a file did not say
  // Which rows count in a batch's statistics, one number for each, 1 or 0 (padding of sequences); undefined: all of
  // them. To be set before forward(); the rows that do not count must be finite, and are normalised with the others'
  // statistics.
  Tensor mask;

 private:
  struct Rows {
    double all, each;  // of a batch that count, and of each of its ghost batches
  };
  Normalized normalise(const Tensor& x, const Epilogue& then, Rows& rows) const;
  void average(const Tensor& mean, const Tensor& var, const Rows& rows);
};

}  // namespace evenkeel
