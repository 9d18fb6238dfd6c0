// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps) {
  BatchNorm layer(1, {.eps = eps});
  const Tensor column = Tensor::of({static_cast<int64_t>(x.size()), 1}, x);
  return (layer.forward(column, Mode::probe) * gamma + beta).values();
}
