// caught by: values
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double) {
  const int64_t n = x.dim(0), f = x.size() / n;
  Tensor y = Tensor::empty(x.shape());
  double* out = y.mutable_data();
  for (int64_t i = 0; i < n; ++i) {
    const double* in = x.data() + i * f;
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < f; ++j) mean += in[j] / f;
    for (int64_t j = 0; j < f; ++j) variance += (in[j] - mean) * (in[j] - mean) / f;
    for (int64_t j = 0; j < f; ++j) out[i * f + j] = (in[j] - mean) / std::sqrt(variance + 1e-3);
  }
  return y;
}
