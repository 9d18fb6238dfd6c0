// check_grad: compares an op's derivatives with finite differences, in double. One line per op:
//     check_grad([](const Inputs& x) { return x[0] * x[1]; }, {random({3, 4}), random({3, 4})});
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "../core/ops/ops.h"

namespace evenkeel {

using Inputs = std::vector<Tensor>;
using Function = std::function<Tensor(const Inputs&)>;

// A constant with entries from N(0, 1); every call continues a fixed sequence.
inline Tensor random(const Shape& shape, double mean = 0, double deviation = 1) {
  static Random stream(20151106);
  return Tensor::normal(shape, stream, mean, deviation);
}
inline Tensor random_positive(const Shape& shape) {
  return map(random(shape), [](real v) { return real(0.3) + v * v; });
}
// At least 0.1 away from 0, where functions like relu have a kink.
inline Tensor random_off_zero(const Shape& shape) {
  return map(random(shape), [](real v) { return v + (v < 0 ? real(-0.1) : real(0.1)); });
}

// No two values closer than 0.02: maxima have kinks at ties.
inline Tensor random_distinct(const Shape& shape) {
  static Random stream(1502);
  Tensor t = Tensor::empty(shape);
  const std::vector<int64_t> order = stream.permutation(t.size());
  for (int64_t i = 0; i < t.size(); ++i) t.mutable_data()[i] = real(0.02) * static_cast<real>(order[i] - t.size() / 2);
  return t;
}

// The largest relative error of the derivatives of order 1 to `order` of phi(x) = <f(x), c> for a random cotangent c
// (not ones: the gradient of sum(batch_norm(x)) is zero), each along one random direction, compared with central
// differences with Richardson extrapolation. Checks the first order with recording off (kernels) and on (definitions),
// and with a cotangent that nothing else holds, which a vjp may overwrite (reuse_or_empty()).
inline double grad_error(const Function& f, const Inputs& at, int order = 2) {
  Inputs x, direction;
  for (const Tensor& t : at) {
    x.push_back(t.clone().track());
    direction.push_back(random(t.shape()));
  }
  const Tensor y = f(x);
  const Tensor cotangent = random(y.shape());
  auto along = [&](const Grads& g) {
    double s = 0;
    for (size_t i = 0; i < g.size(); ++i) s += dot(g[i].detach(), direction[i]).item();
    return s;
  };
  auto slope = [&](const Function& phi) {  // of a number, along the direction
    auto moved = [&](double h) {
      Inputs there;
      for (size_t i = 0; i < x.size(); ++i)
        there.push_back((x[i].detach() + direction[i] * static_cast<real>(h)).track());
      return static_cast<double>(phi(there).item());
    };
    auto difference = [&](double h) { return (moved(h) - moved(-h)) / (2 * h); };
    constexpr double h = 3e-4;  // the error is of order h^4: deep networks with norms have large fifth derivatives
    return (4 * difference(h / 2) - difference(h)) / 3;
  };
  const double expected = slope([&](const Inputs& there) { return dot(f(there).detach(), cotangent); });
  double error = 0;
  auto worse = [&](double e) { error = std::isnan(e) ? INFINITY : std::max(error, e); };
  auto compare = [&](const Grads& g) { worse(std::abs(along(g) - expected) / (1 + std::abs(expected))); };
  compare(grad(y, x, {.cotangent = cotangent}));
  compare(grad(y * real(1), x, {.cotangent = cotangent}));  // f's vjp has the only handle to its cotangent
  compare(grad(y, x, {.differentiable = true, .cotangent = cotangent}));
  if (order > 1) {
    Inputs weights;  // the next function: <gradient of phi, weights>
    for (const Tensor& t : at) weights.push_back(random(t.shape()));
    auto next = [&](const Inputs& p) {
      const Grads g = grad(f(p), p, {.differentiable = true, .cotangent = cotangent});
      Tensor s = dot(g[0], weights[0]);
      for (size_t i = 1; i < g.size(); ++i) s = s + dot(g[i], weights[i]);
      return s;
    };
    // The gradient of a linear function does not depend on the inputs, and need not be tracked.
    worse(next(x).tracked() ? grad_error(next, at, order - 1) : std::abs(slope(next)));
  }
  return error;
}

// Whether f's result is never freed, or what its vjp makes of a recorded cotangent.
inline bool leaks(const Function& f, const Inputs& at) {
  const int64_t before = live_nodes();
  {
    Inputs x;
    for (const Tensor& t : at) x.push_back(t.clone().track());
    const Tensor y = f(x);
    if (y.tracked()) grad(dot(y, y), x, {.differentiable = true});
  }
  return live_nodes() > before;
}

// Describes the first error of f and its derivatives up to `order`, "" if there is none.
inline std::string grad_fault(const Function& f, const Inputs& at, int order = 2, double tolerance = 1e-7) {
  Inputs x;
  for (const Tensor& t : at) x.push_back(t.clone().track());
  Random own(7);  // random() goes on as if grad_error() alone had drawn
  const Tensor y = f(x), cotangent = Tensor::normal(y.shape(), own);
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i].values() != at[i].values()) return fmt::format("it writes to input {}", i);
  for (real v : y.values())
    if (!std::isfinite(v)) return "its result is not finite: give inputs of its domain";
  const double error = grad_error(f, at, order);
  if (!(error < tolerance)) {
    int first = 1;
    while (first < order && grad_error(f, at, first) < tolerance) ++first;
    return fmt::format("its derivative of order {} is wrong by {}", first, error);
  }
  if (leaks(f, at)) return "the graph is never freed: a vjp must keep neither the op's result nor the cotangent";

  // Each gradient is the same if the other inputs are constants.
  const Grads all = grad(y, x, {.cotangent = cotangent});
  for (size_t i = 0; at.size() > 1 && i < at.size(); ++i) {
    Inputs one = at;
    one[i] = at[i].clone().track();
    const Tensor alone = f(one);
    for (const bool differentiable : {false, true}) {
      if (!alone.tracked()) continue;
      const Tensor g = grad(alone, {one[i]}, {.differentiable = differentiable, .cotangent = cotangent})[0];
      for (int64_t k = 0; k < g.size(); ++k)
        if (!(std::abs(g.data()[k] - all[i].data()[k]) <= tolerance * (1 + std::abs(all[i].data()[k]))))
          return fmt::format("the gradient of input {} is another if the other inputs are not tracked", i);
    }
  }
  return "";
}

inline void check_grad(const Function& f, const Inputs& at, int order = 2, double tolerance = 1e-7) {
  static_assert(sizeof(real) == 8, "finite differences need double: link evenkeel::evenkeel_double");
  CHECK(grad_fault(f, at, order, tolerance) == "");
}

}  // namespace evenkeel
