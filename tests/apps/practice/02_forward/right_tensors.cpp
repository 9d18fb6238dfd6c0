// By operations on tensors.
#include <evenkeel/practice.h>

using namespace evenkeel;

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps) {
  const Tensor t = Tensor::of({static_cast<int64_t>(x.size())}, x);
  const Tensor centred = t - spread(mean(t), t.shape());
  return (centred * spread(rsqrt(mean(square(centred)) + eps), t.shape()) * gamma + beta).values();
}
