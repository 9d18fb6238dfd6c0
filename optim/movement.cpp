#include "optim/movement.h"

#include <cmath>

#include "core/reduce.h"

namespace evenkeel {
namespace {

double inner(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "inner product: {} and {} differ", a.shape(), b.shape());
  double s = 0;
  for (int64_t i = 0; i < a.size(); ++i) s += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  return s;
}

}  // namespace

double l2_norm(const Tensor& x) { return std::sqrt(inner(x, x)); }

// Of unit vectors 2 atan2(|a - b|, |a + b|) (Kahan): the arc cosine has no digits left near 0.
double angle(const Tensor& a, const Tensor& b) {
  const double in_a = 1 / l2_norm(a), in_b = 1 / l2_norm(b);
  double apart = 0, together = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double u = in_a * static_cast<double>(a.data()[i]), v = in_b * static_cast<double>(b.data()[i]);
    apart += (u - v) * (u - v);
    together += (u + v) * (u + v);
  }
  return 2 * std::atan2(std::sqrt(apart), std::sqrt(together));
}

std::vector<Movement> movements(const std::vector<Parameter>& parameters, const Grads& gradients, double lr) {
  check(parameters.size() == gradients.size(), "movements: {} parameters and {} gradients", parameters.size(), gradients.size());
  std::vector<Movement> all;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor w = parameters[i].value.detach(), g = gradients[i].detach();
    const double weight = l2_norm(w);
    all.push_back({parameters[i].name, l2_norm(g), weight, lr / (weight * weight), angle(w, w - g * static_cast<real>(lr))});
  }
  return all;
}

std::vector<GradientShift> gradient_shifts(const Objective& f, const std::vector<Parameter>& parameters, double lr) {
  std::vector<Tensor> w, before;
  for (const Parameter& p : parameters) w.push_back(p.value), before.push_back(p.value.clone());
  const auto layer_of = [&](size_t i) { return parameters[i].name.substr(0, parameters[i].name.rfind('.')); };
  const Grads g = grad(f(), w);
  std::vector<GradientShift> shifts;
  for (size_t begin = 0, end = 0; begin < w.size(); begin = end) {
    while (end < w.size() && layer_of(end) == layer_of(begin)) ++end;
    const Grads shifted = begin == 0 ? g : grad(f(), w);
    double distance = 0, along = 0, here = 0, there = 0;
    for (size_t i = begin; i < end; ++i) {
      const Tensor a = g[i].detach(), b = shifted[i].detach(), d = b - a;
      distance += inner(d, d), along += inner(a, b), here += inner(a, a), there += inner(b, b);
      w[i].detach().copy_from(before[i] - a * static_cast<real>(lr));
    }
    shifts.push_back({layer_of(begin), std::sqrt(distance), along / std::sqrt(here * there)});
  }
  for (size_t i = 0; i < w.size(); ++i) w[i].detach().copy_from(before[i]);
  return shifts;
}

}  // namespace evenkeel
