#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const int64_t N = x.dim(0), H = x.dim(1), W = x.dim(2), C = x.dim(3);
  Tensor y = Tensor::empty(x.shape());
  const auto at = [&](int64_t n, int64_t h, int64_t w, int64_t c) { return ((n * H + h) * W + w) * C + c; };
  for (int64_t c = 0; c < C; ++c) {
    double mean = 0, var = 0;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t w = 0; w < W; ++w) mean += x.data()[at(n, h, w, c)];
    mean /= N * H * W;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t w = 0; w < W; ++w) var += std::pow(x.data()[at(n, h, w, c)] - mean, 2);
    var /= N * H * W;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t w = 0; w < W; ++w)
          y.mutable_data()[at(n, h, w, c)] = (x.data()[at(n, h, w, c)] - mean) / std::sqrt(var + eps);
  }
  return y;
}
