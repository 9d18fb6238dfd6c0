// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor batch_renorm(const Tensor& x, const Tensor& mean, const Tensor& sigma, const Tensor& gamma, const Tensor& beta,
                    double eps, double r_max, double d_max) {
  BatchRenorm layer(x.channels(), {.eps = eps, .r_max = r_max, .d_max = d_max, .start = 0, .r_end = 1, .d_end = 1});
  layer.set_statistics(mean, square(sigma) - eps, 100);
  layer.gamma = gamma;
  layer.beta = beta;
  return layer.forward(x, Mode::probe);
}
