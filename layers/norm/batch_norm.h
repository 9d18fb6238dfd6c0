// Batch normalisation (Ioffe and Szegedy 2015): per channel, over all rows of the batch; running averages for
// inference.
#pragma once
#include "running_norm.h"

namespace evenkeel {

struct BatchNormOptions {
  real eps = default_eps;
  // All rows have the same weight, so the t-th of equal batches has 1/t; also after recalibrate(). If a file lacks the
  // number of averaged rows, each of its num_batches_tracked batches counts like the next one, which is PyTorch's rule.
  bool cumulative = false;
  double new_weight = 0.1;
  // The running variance averages m/(m-1) times the batch's biased variance, or (false) the biased one. The normaliser
  // always uses the biased one.
  bool unbiased = true;
  bool affine = true;   // else gamma and beta are 1 and 0
  bool gamma = true;    // else gamma is 1 beside a beta that is learned
  bool frozen = false;  // the running averages normalise in training too; gamma and beta are trained
  int64_t ghost = 0;    // cuts the batch into as many equal parts of at least this many examples as possible; 0: off
  bool local = false;   // each shard of the batch is normalised by itself; see core/base/shards.h

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
    option("local", o.local, Words{"off", "on"},
           "normalise each of train's --shards by itself, as a ghost batch; off: the whole batch, in all shards");
  }
};

// x (rows, C), formula and errors as batch_norm() in core/ops/batch_norm.h has them. Constructor: Error if an option is
// out of its range. The modes:
//                 normalises with        running averages
//   Mode::train   the batch's            move (unless the batch is not finite: then skipped is counted)
//   Mode::probe   the batch's            stay
//   Mode::eval    the running averages   stay
struct BatchNorm : RunningNorm {
  explicit BatchNorm(int64_t channels, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x, Mode mode) override { return forward_then(x, mode, {}); }
  Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override;
  bool reads_moments(Mode mode) const override {
    return mode != Mode::eval && !options.frozen && options.ghost == 0 && !mask.defined();
  }
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  Statistics statistics() const override;
  void set_statistics(const Tensor& mean, const Tensor& biased_var, double rows) override;
  real epsilon() const override { return options.eps; }

  BatchNormOptions options;
  Owned running_var;   // (C): 1 before the first batch
  Owned running_rows;  // (): number of averaged rows; 1: unknown, from a file
  // One number per row: 1 if it counts in the batch's statistics, 0 if not (padding of sequences). Undefined: all rows
  // count. Set it before forward(). Rows that do not count must be finite; they are normalised with the same
  // statistics.
  Tensor mask;

 private:
  Normalized normalise(const Tensor& x, const Epilogue& then, int64_t& parts) const;
  void average(const Normalized& batch, double rows_of_part);
};

}  // namespace evenkeel
