// caught by: saved
#include <evenkeel/practice.h>

using namespace evenkeel;

struct MyNorm : Layer {
  explicit MyNorm(int64_t channels)
      : gamma(Tensor::full({channels}, 1).track()),
        beta(Tensor::zeros({channels}).track()),
        running_mean(Tensor::zeros({channels})),
        running_var(Tensor::full({channels}, 1)) {}

  Tensor forward(const Tensor& x, Mode mode) override {
    if (mode == Mode::eval) return batch_norm_inference(x, running_mean, running_var, gamma, beta, eps);
    const Normalized n = batch_norm(x, gamma, beta, eps);
    if (mode == Mode::train) {
      running_mean.copy_from((1 - a) * running_mean + a * n.mean);
      running_var.copy_from((1 - a) * running_var + a * n.var);
    }
    return n.y;
  }

  // What is saved with the network: parameters are trained, buffers are not.
  void visit(Visitor& v) override {
    v.parameter("weight", gamma, false);
    v.parameter("bias", beta, false);
    v.buffer("running_mean", running_var);
    v.buffer("running_var", running_mean);
  }
  std::string describe() const override { return "my_norm"; }

  Owned gamma, beta;                // (C)
  Owned running_mean, running_var;  // (C)
  double eps = 1e-5, a = 0.1;       // a: the weight of a new batch in the running averages
};

LayerPtr make_norm(int64_t channels) { return std::make_unique<MyNorm>(channels); }
