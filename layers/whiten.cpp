#include "layers/whiten.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/diagonalise.h"

namespace evenkeel {

Whiten::Whiten(int64_t channels, int64_t size, double small) : eps(small) {
  check(eps > 0, "whiten: eps must be above 0, got {}", eps);
  const int64_t n = size * size * channels;
  options.padding = 0;
  weight = Tensor::zeros({2 * n, size, size, channels});
  for (int64_t k = 0; k < 2 * n; ++k) {
    const double sign = k < n ? 1 : -1;
    weight.mutable_data()[k * n + k % n] = static_cast<real>(sign / std::sqrt(1 + eps));
  }
  bias = Tensor::zeros({2 * n}).track();
}

void Whiten::fit(const Tensor& x) {
  const int64_t size = weight.dim(1), channels = weight.dim(3);
  const Shape out = conv2d_shape(x.shape(), weight.shape(), options);
  check(out.rows() > 0, "whiten: needs at least one patch, x is {}", x.shape());
  const auto n = static_cast<size_t>(size * size * channels);
  std::vector<double> moments(n * n);
  std::vector<real> patch(n);
  for (int64_t i = 0; i < out.rows(); ++i) {
    const int64_t image = i / (out[1] * out[2]), top = i / out[2] % out[1], left = i % out[2];
    for (int64_t r = 0; r < size; ++r) {
      const real* row = x.data() + ((image * x.dim(1) + top + r) * x.dim(2) + left) * channels;
      std::copy_n(row, size * channels, patch.begin() + r * size * channels);
    }
    for (size_t p = 0; p < n; ++p)
      for (size_t q = 0; q <= p; ++q) moments[p * n + q] += static_cast<double>(patch[p]) * patch[q];
  }
  for (size_t p = 0; p < n; ++p)
    for (size_t q = 0; q <= p; ++q) moments[q * n + p] = moments[p * n + q] /= static_cast<double>(out.rows());
  const std::vector<double> vectors = diagonalise(moments, n);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto eigenvalue = [&](size_t i) { return std::max(0.0, moments[i * n + i]); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return eigenvalue(a) > eigenvalue(b); });
  real* w = weight.mutable_data();
  for (size_t k = 0; k < n; ++k) {
    const double scale = 1 / std::sqrt(eigenvalue(order[k]) + eps);
    for (size_t j = 0; j < n; ++j) {
      const auto value = static_cast<real>(scale * vectors[order[k] * n + j]);
      w[k * n + j] = value;
      w[(n + k) * n + j] = -value;
    }
  }
}

void Whiten::visit(Visitor& v) {
  v.buffer("weight", weight);
  v.parameter("bias", bias, false);
}

std::string Whiten::describe() const {
  const std::string text = fmt::format("whiten:{}", weight.dim(1));
  return eps == standard_eps ? text : text + fmt::format(":eps={}", eps);
}

void fit_whitening(Sequential& network, const std::function<Tensor()>& images) {
  const Recording off(false);
  size_t count = 0;  // of layers up to the last of them
  for (size_t i = 0; i < network.size(); ++i)
    if (dynamic_cast<Whiten*>(&network[i])) count = i + 1;
  if (count == 0) return;
  Tensor y = images();
  for (size_t i = 0; i < count; ++i) {
    if (auto* whiten = dynamic_cast<Whiten*>(&network[i])) whiten->fit(y);
    if (i + 1 < count) y = network[i].forward(y, Mode::probe);
  }
}

}  // namespace evenkeel
