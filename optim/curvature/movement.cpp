#include "optim/curvature/movement.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "optim/curvature/kept_values.h"

namespace evenkeel {

// For unit vectors 2 atan2(|a - b|, |a + b|) (Kahan): the arc cosine loses all digits near angle 0.
double angle(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "angle: shapes must agree, got {} and {}", a.shape(), b.shape());
  const double of_a = l2_norm(a), of_b = l2_norm(b);
  if (of_a == 0 || of_b == 0) return 0;
  double apart = 0, together = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double u = static_cast<double>(a.data()[i]) / of_a, v = static_cast<double>(b.data()[i]) / of_b;
    apart += (u - v) * (u - v);
    together += (u + v) * (u + v);
  }
  return 2 * std::atan2(std::sqrt(apart), std::sqrt(together));
}

std::vector<Movement> movements(const std::vector<Parameter>& parameters, const Grads& gradients, double lr) {
  check(parameters.size() == gradients.size(), "movements: needs a gradient for each of {} parameters, got {}",
        parameters.size(), gradients.size());
  std::vector<Movement> all;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor w = parameters[i].value.detach(), g = gradients[i].detach();
    const double weight = l2_norm(w);
    const double rate = weight == 0 ? 0 : lr / weight / weight;
    all.push_back({parameters[i].name, l2_norm(g), weight, rate, angle(w, w - g * static_cast<real>(lr))});
  }
  return all;
}

std::vector<GradientShift> gradient_shifts(const Objective& f, const std::vector<Parameter>& parameters, double lr) {
  std::vector<Tensor> w;
  for (const Parameter& p : parameters) w.push_back(p.value);
  const KeptValues before(w);
  const auto layer_of = [&](size_t i) { return parameters[i].name.substr(0, parameters[i].name.rfind('.')); };
  const Grads g = grad(f(), w);
  std::vector<GradientShift> shifts;
  for (size_t begin = 0, end = 0; begin < w.size(); begin = end) {
    while (end < w.size() && layer_of(end) == layer_of(begin)) ++end;
    const Grads shifted = begin == 0 ? g : grad(f(), w);
    double distance = 0, here = 0, there = 0, cosine = 0;
    for (size_t i = begin; i < end; ++i) {
      const Tensor a = g[i].detach(), b = shifted[i].detach();
      distance = std::hypot(distance, l2_norm(b - a));
      here = std::hypot(here, l2_norm(a));
      there = std::hypot(there, l2_norm(b));
      w[i].copy_from(before[i] - a * static_cast<real>(lr));
    }
    for (size_t i = begin; i < end && here != 0 && there != 0; ++i)
      for (int64_t j = 0; j < g[i].size(); ++j)
        cosine += static_cast<double>(g[i].data()[j]) / here * (static_cast<double>(shifted[i].data()[j]) / there);
    shifts.push_back({layer_of(begin), distance, distance == 0 ? 1 : cosine});
  }
  return shifts;
}

}  // namespace evenkeel
