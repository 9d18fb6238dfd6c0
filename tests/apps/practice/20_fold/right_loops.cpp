// In loops.
#include <evenkeel/practice.h>

using namespace evenkeel;

// A convolution that computes, in Mode::eval, what conv and then norm compute.
// conv.weight has the shape (K, R, S, C): K filters. conv.bias has the shape (K), or is not defined.
// norm has gamma, beta, running_mean, running_var, all (K), and options.eps.
Conv2d fold(const Conv2d& conv, const BatchNorm& norm) {
  Conv2d folded = conv;  // a copy, with the same stride and padding
  const int64_t K = norm.gamma.size(), each = conv.weight.size() / K;
  Tensor w = conv.weight.clone(), b = Tensor::zeros({K});
  for (int64_t k = 0; k < K; ++k) {
    const double s = norm.gamma.data()[k] / std::sqrt(norm.running_var.data()[k] + norm.options.eps);
    for (int64_t i = 0; i < each; ++i) w.mutable_data()[k * each + i] *= s;
    const double bias = conv.bias.defined() ? conv.bias.data()[k] : 0;
    b.mutable_data()[k] = norm.beta.data()[k] + s * (bias - norm.running_mean.data()[k]);
  }
  folded.weight = w;
  folded.bias = b;
  return folded;
}
