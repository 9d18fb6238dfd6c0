// caught by: values
#include <evenkeel/practice.h>

using namespace evenkeel;

// The channel of value i in memory.
int64_t channel_of(int64_t i, const Shape& shape) { return i % shape[3]; }

Tensor normalise_images(const Tensor& x, double) {
  const int64_t channels = x.dim(3);
  const double m = static_cast<double>(x.size() / channels);
  std::vector<double> mean(channels), variance(channels);
  for (int64_t i = 0; i < x.size(); ++i) mean[channel_of(i, x.shape())] += x.data()[i] / m;
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = channel_of(i, x.shape());
    variance[c] += (x.data()[i] - mean[c]) * (x.data()[i] - mean[c]) / m;
  }
  Tensor y = Tensor::empty(x.shape());
  double* out = y.mutable_data();
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = channel_of(i, x.shape());
    out[i] = (x.data()[i] - mean[c]) / std::sqrt(variance[c] + 1e-3);
  }
  return y;
}
