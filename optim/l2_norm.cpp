#include "optim/l2_norm.h"

#include <cmath>

#include "core/engine/map.h"

namespace evenkeel {
namespace {

double sum_of_squares(const Tensor& x, double scale) {
  const int64_t n = x.size(), blocks = (n + elementwise_block - 1) / elementwise_block;
  std::vector<double> parts(static_cast<size_t>(blocks));
  parallel_blocks(n, elementwise_block, [&, in = x.data()](int64_t begin, int64_t end) {
    double part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t i = begin; i < end; ++i) {
      const double v = scale * in[i];
      part += v * v;
    }
    parts[static_cast<size_t>(begin / elementwise_block)] = part;
  });
  double sum = 0;
  for (double p : parts) sum += p;
  return sum;
}

}  // namespace

double l2_norm(const Tensor& x) {
  const auto scaled = [&](double scale) { return std::sqrt(sum_of_squares(x, scale)) / scale; };
  const double norm = scaled(1);
  if (norm > 1e150) return scaled(0x1p-600);
  return norm < 1e-140 ? scaled(0x1p+600) : norm;
}

}  // namespace evenkeel
