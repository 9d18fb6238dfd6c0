// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i) {
    const Tensor t = Tensor::of({m, 1}, x).track();
    const Tensor centred = add_per_channel(t, -mean_rows(t));
    const Tensor y = scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps) * gamma);
    Tensor c = Tensor::zeros({m, 1});
    c.mutable_data()[i] = 1;
    const std::vector<double> row = grad(y, {t}, {.cotangent = c})[0].values();
    std::copy(row.begin(), row.end(), J.mutable_data() + i * m);
  }
  return J;
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  const int64_t m = static_cast<int64_t>(x.size());
  Tensor J = Tensor::zeros({m, m});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) J.mutable_data()[i * m + j] = i == j ? gamma / std::sqrt(running_var + eps) : 0;
  return J;
}
