// Averages moved number by number, by a switch.
#include <evenkeel/practice.h>

using namespace evenkeel;

struct MyNorm : Layer {
  explicit MyNorm(int64_t channels)
      : gamma(Tensor::full({channels}, 1).track()),
        beta(Tensor::zeros({channels}).track()),
        running_mean(Tensor::zeros({channels})),
        running_var(Tensor::full({channels}, 1)) {}

  Tensor forward(const Tensor& x, Mode mode) override {
    switch (mode) {
      case Mode::eval: {
        const Tensor scale = gamma * rsqrt(running_var + eps);
        return add_per_channel(scale_per_channel(x, scale), beta - running_mean * scale);
      }
      case Mode::train: {
        Normalized n = batch_norm(x, gamma, beta, eps);
        for (int64_t c = 0; c < x.channels(); ++c) {
          running_mean.mutable_data()[c] += a * (n.mean.data()[c] - running_mean.data()[c]);
          running_var.mutable_data()[c] += a * (n.var.data()[c] - running_var.data()[c]);
        }
        return n.y;
      }
      case Mode::probe:
        return batch_norm(x, gamma, beta, eps).y;
    }
    return x;
  }

  // What is saved with the network: parameters are trained, buffers are not.
  void visit(Visitor& v) override {
    v.parameter("weight", gamma, false);
    v.parameter("bias", beta, false);
    v.buffer("running_mean", running_mean);
    v.buffer("running_var", running_var);
  }
  std::string describe() const override { return "my_norm"; }

  Owned gamma, beta;                // (C)
  Owned running_mean, running_var;  // (C)
  double eps = 1e-5, a = 0.1;       // a: the weight of a new batch in the running averages
};

LayerPtr make_norm(int64_t channels) { return std::make_unique<MyNorm>(channels); }
