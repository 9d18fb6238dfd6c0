// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

// How the outputs of a layer move with each x_j.
Tensor differences(BatchNorm layer, const std::vector<double>& x, double gamma, Mode mode) {
  const int64_t m = static_cast<int64_t>(x.size());
  const auto moved = [&](int64_t j, double h) {
    Tensor column = Tensor::of({m, 1}, x);
    column.mutable_data()[j] += h;
    return (layer.forward(column, mode) * gamma).values();
  };
  Tensor J = Tensor::zeros({m, m});
  for (int64_t j = 0; j < m; ++j) {
    const std::vector<double> above = moved(j, 1e-5), below = moved(j, -1e-5);
    for (int64_t i = 0; i < m; ++i) J.mutable_data()[i * m + j] = (above[i] - below[i]) / 2e-5;
  }
  return J;
}

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps) {
  return differences(BatchNorm(1, {.eps = eps}), x, gamma, Mode::probe);
}

Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps) {
  BatchNorm layer(1, {.eps = eps});
  layer.set_statistics(Tensor::zeros({1}), Tensor::full({1}, running_var), 1);
  return differences(layer, x, gamma, Mode::eval);
}
