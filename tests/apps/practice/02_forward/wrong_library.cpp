// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps) {
  const Tensor column = Tensor::of({static_cast<int64_t>(x.size()), 1}, x);
  return batch_norm(column, Tensor::full({1}, gamma), Tensor::full({1}, beta), eps).y.values();
}
