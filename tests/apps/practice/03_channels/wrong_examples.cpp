// caught by: pixels
#include <evenkeel/practice.h>

using namespace evenkeel;

// Each image has means of its own.
Tensor normalise_channels(const Tensor& x, double eps) {
  const int64_t n = x.dim(0), c = x.channels(), pixels = x.size() / n / c;
  Tensor y = Tensor::empty(x.shape());
  double* out = y.mutable_data();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < c; ++k) {
      const int64_t first = i * pixels * c + k;
      double mean = 0, variance = 0;
      for (int64_t p = 0; p < pixels; ++p) mean += x.data()[first + p * c] / pixels;
      for (int64_t p = 0; p < pixels; ++p) variance += std::pow(x.data()[first + p * c] - mean, 2) / pixels;
      for (int64_t p = 0; p < pixels; ++p)
        out[first + p * c] = (x.data()[first + p * c] - mean) / std::sqrt(variance + eps);
    }
  return y;
}
