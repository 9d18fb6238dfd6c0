#include "optim/curvature/eigenvalue.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/diagonalise.h"
#include "core/ops/reduce.h"
#include "optim/curvature/kept_values.h"
#include "optim/l2_norm.h"

namespace evenkeel {
namespace {

using Vector = std::vector<double>;  // all parameters, one after the other

double inner(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

void add_scaled(Vector& y, double s, const Vector& x) {
  for (size_t i = 0; i < y.size(); ++i) y[i] += s * x[i];
}

void scale(Vector& x, double s) {
  for (double& v : x) v *= s;
}

double largest_size(const Vector& x) {
  double largest = 0;
  for (double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

// A power of two that scales numbers of up to this size to about 1, so that squares neither overflow nor underflow.
double scale_for(double largest) {
  return largest > 0 && std::isfinite(largest) ? std::ldexp(1, -std::clamp(std::ilogb(largest), -1000, 1000)) : 1;
}

double norm(const Vector& x) {
  const double s = scale_for(largest_size(x));
  double squares = 0;
  for (double v : x) squares += (s * v) * (s * v);
  return std::sqrt(squares) / s;
}

class Hessian {
 public:
  Hessian(const Objective& f, const std::vector<Tensor>& parameters)
      : parameters_(parameters), gradient_(grad(f(), parameters, {.differentiable = true})) {
    check(!parameters.empty(), "hessian: needs a parameter, got none");
  }

  Grads times(const Grads& v) const {
    check(v.size() == parameters_.size(), "hessian: {} parameters need as many vectors, got {}", parameters_.size(),
          v.size());
    for (size_t i = 0; i < v.size(); ++i)
      check(v[i].shape() == parameters_[i].shape(), "hessian: vector {} must have its parameter's shape {}, got {}", i,
            parameters_[i].shape(), v[i].shape());
    const Recording on(true);
    Tensor along = Tensor::scalar(0);
    for (size_t i = 0; i < v.size(); ++i) along = along + dot(gradient_[i], v[i].detach());
    if (along.tracked()) return grad(along, parameters_);
    Grads none;  // f is linear: its gradient does not depend on the parameters
    for (const Tensor& p : parameters_) none.push_back(Tensor::zeros(p.shape()));
    return none;
  }

  Vector times(const Vector& v) const { return vector(times(tensors(v))); }

  static Vector vector(const Grads& all) {
    Vector v;
    for (const Tensor& t : all) v.insert(v.end(), t.data(), t.data() + t.size());
    return v;
  }

  Grads tensors(const Vector& v) const {
    Grads all;
    auto at = v.begin();
    for (const Tensor& p : parameters_) {
      all.push_back(Tensor::empty(p.shape()));
      for (int64_t i = 0; i < p.size(); ++i) all.back().mutable_data()[i] = static_cast<real>(*at++);
    }
    return all;
  }

 private:
  std::vector<Tensor> parameters_;
  Grads gradient_;
};

struct Pair {
  double value;
  Vector vector;
};

// The largest eigenvalue of a tridiagonal symmetric matrix and its eigenvector.
Pair largest_pair(const Vector& diagonal, const Vector& beside) {
  const size_t n = diagonal.size();
  Vector a(n * n);
  for (size_t i = 0; i < n; ++i) a[i * n + i] = diagonal[i];
  for (size_t i = 0; i + 1 < n; ++i) a[i * n + i + 1] = a[(i + 1) * n + i] = beside[i];
  const double unit = scale_for(largest_size(a));
  scale(a, unit);
  const Vector vectors = diagonalise(a, n);
  size_t best = 0;
  for (size_t i = 1; i < n; ++i) best = a[i * n + i] > a[best * n + best] ? i : best;
  const auto row = vectors.begin() + static_cast<std::ptrdiff_t>(best * n);
  return {a[best * n + best] / unit, Vector(row, row + static_cast<std::ptrdiff_t>(n))};
}

}  // namespace

Grads hessian_vector_product(const Objective& f, const std::vector<Tensor>& parameters, const Grads& v) {
  return Hessian(f, parameters).times(v);
}

AlongGradient along_gradient(const Objective& f, const std::vector<Tensor>& parameters,
                             const std::vector<double>& steps) {
  const Grads g = grad(f(), parameters);
  const KeptValues before(parameters);
  double norm = 0;
  for (const Tensor& t : g) norm = std::hypot(norm, l2_norm(t));
  AlongGradient found;
  for (const double step : steps) {
    check(step > 0, "along_gradient: steps must be positive, got {}", step);
    for (size_t i = 0; i < g.size(); ++i)
      parameters[i].detach().copy_from(before[i] - g[i].detach() * static_cast<real>(step));
    const Tensor loss = f();
    found.losses.push_back(loss.item());
    const Grads there = grad(loss, parameters);
    double change = 0;
    for (size_t i = 0; i < g.size(); ++i) change = std::hypot(change, l2_norm(there[i].detach() - g[i].detach()));
    if (norm > 0) found.smoothness = std::max(found.smoothness, change / norm / step);
  }
  return found;
}

Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  const Recording on(true);
  const Tensor at = x.clone().track(), y = f(at);
  Tensor rows = Tensor::zeros({y.size(), x.size()});
  if (!y.tracked()) return rows;
  for (int64_t i = 0; i < y.size(); ++i) {
    Tensor unit = Tensor::zeros(y.shape());
    unit.mutable_data()[i] = 1;
    const Tensor row = grad(y, {at}, {.cotangent = unit})[0];
    std::copy_n(row.data(), x.size(), rows.mutable_data() + i * x.size());
  }
  return rows;
}

Eigenvalue largest_eigenvalue(const Objective& f, const std::vector<Tensor>& parameters, Random& random,
                              const LanczosOptions& options) {
  check(options.max_steps >= 1, "largest_eigenvalue: needs at least one step, got {}", options.max_steps);
  const Hessian hessian(f, parameters);
  int64_t size = 0;
  for (const Tensor& p : parameters) size += p.size();
  Vector next(static_cast<size_t>(size));
  for (double& v : next) v = random.normal();
  scale(next, 1 / norm(next));

  // H Q = Q T + beta q e', the basis being Q's orthonormal columns and T tridiagonal: an eigenpair (value, s) of T
  // gives u = Q s with the residual beta |s_k|. This bound ignores the rounding of H q, so it only decides when to
  // stop; the residual of the result is measured.
  std::vector<Vector> basis;
  Vector diagonal, beside;
  Eigenvalue found;
  while (true) {
    basis.push_back(next);
    const size_t k = basis.size();
    next = hessian.times(basis.back());
    const double alpha = inner(basis.back(), next), before = norm(next);
    check(std::isfinite(before),
          "largest_eigenvalue: the Hessian is not finite here; check that the loss and its gradient are finite");
    for (int pass = 0; pass < 2; ++pass)  // twice is enough (Kahan and Parlett)
      for (const Vector& q : basis) add_scaled(next, -inner(q, next), q);
    const double beta = norm(next);
    diagonal.push_back(alpha);
    const Pair pair = largest_pair(diagonal, beside);
    found.value = pair.value;
    const double residual = beta * std::abs(pair.vector.back());
    found.steps = static_cast<int>(k);
    const bool complete =
        beta <= 1e-14 * before || static_cast<int64_t>(k) == size;  // the basis spans the whole Krylov space
    if (complete || residual <= options.tolerance * std::abs(pair.value) || found.steps == options.max_steps) {
      Vector u(static_cast<size_t>(size));
      for (size_t i = 0; i < k; ++i) add_scaled(u, pair.vector[i], basis[i]);
      found.vector = hessian.tensors(u);
      u = Hessian::vector(found.vector);  // as it was rounded
      Vector rest = hessian.times(u);
      add_scaled(rest, -found.value, u);
      found.residual = norm(rest) / norm(u);
      return found;
    }
    beside.push_back(beta);
    scale(next, 1 / beta);
  }
}

}  // namespace evenkeel
