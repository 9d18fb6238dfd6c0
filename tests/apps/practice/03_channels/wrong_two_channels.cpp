// caught by: values
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const int64_t channels = 2, m = x.size() / channels;
  Tensor y = x.clone();
  double* v = y.mutable_data();
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0, variance = 0;
    for (int64_t i = c; i < x.size(); i += channels) mean += v[i];
    mean /= m;
    for (int64_t i = c; i < x.size(); i += channels) variance += (v[i] - mean) * (v[i] - mean);
    variance /= m;
    for (int64_t i = c; i < x.size(); i += channels) v[i] = (v[i] - mean) / std::sqrt(variance + eps);
  }
  return y;
}
