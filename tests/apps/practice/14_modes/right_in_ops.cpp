// All in simple ops; the statistics are detached before they are averaged.
#include <evenkeel/practice.h>

using namespace evenkeel;

struct MyNorm : Layer {
  explicit MyNorm(int64_t channels)
      : gamma(Tensor::full({channels}, 1).track()),
        beta(Tensor::zeros({channels}).track()),
        running_mean(Tensor::zeros({channels})),
        running_var(Tensor::full({channels}, 1)) {}

  Tensor forward(const Tensor& x, Mode mode) override {
    Tensor mean = running_mean, var = running_var;
    if (mode != Mode::eval) {
      mean = mean_rows(x);
      var = mean_rows(square(add_per_channel(x, -mean)));
    }
    if (mode == Mode::train) {
      running_mean.copy_from((1 - a) * running_mean + a * mean.detach());
      running_var.copy_from((1 - a) * running_var + a * var.detach());
    }
    const Tensor xhat = scale_per_channel(add_per_channel(x, -mean), rsqrt(var + eps));
    return add_per_channel(scale_per_channel(xhat, gamma), beta);
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
