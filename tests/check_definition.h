// check_definition: compares a fused op with its definition, which gives its higher derivatives, in double.
#pragma once
#include "tests/check_grad.h"

namespace evenkeel {

inline double difference(const Tensor& a, const Tensor& b) {  // the largest, relative to 1 + |b|
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a.data()[i] - b.data()[i]) / (1 + std::abs(b.data()[i]));
    worst = d > worst || std::isnan(d) ? d : worst;  // NaN wins
  }
  return worst;
}

// The value of f, its gradient as the kernel computes it, the derivatives of <f, c> along one direction up to `order`,
// and the gradients of the one before each: of the second order this is a Hessian-vector product.
inline std::vector<Tensor> derivatives(const Function& f, const Inputs& at, const Tensor& cotangent,
                                       const Inputs& direction, int order) {
  Inputs x;
  for (const Tensor& t : at) x.push_back(t.clone().track());
  const Tensor y = f(x);
  std::vector<Tensor> all{y.detach()};
  for (const Tensor& g : grad(y, x, {.cotangent = cotangent})) all.push_back(g.detach());
  Tensor along = dot(y, cotangent);
  for (int i = 1; i <= order && along.tracked(); ++i) {
    for (const Tensor& g : grad(along, x)) all.push_back(g.detach());
    const Grads g = grad(along, x, {.differentiable = true});
    along = dot(g[0], direction[0]);
    for (size_t j = 1; j < g.size(); ++j) along = along + dot(g[j], direction[j]);
    all.push_back(along.detach());
  }
  return all;
}

inline void check_definition(const Function& f, const Function& definition, const Inputs& at, int order = 4,
                             double tolerance = 1e-12) {
  Inputs direction;
  for (const Tensor& t : at) direction.push_back(random(t.shape()));
  const Tensor cotangent = random(f(at).shape());
  const std::vector<Tensor> fused = derivatives(f, at, cotangent, direction, order);
  const std::vector<Tensor> plain = derivatives(definition, at, cotangent, direction, order);
  REQUIRE(fused.size() == plain.size());
  for (size_t i = 0; i < fused.size(); ++i) {
    CAPTURE(i);
    CHECK(difference(fused[i], plain[i]) < tolerance);
  }
}

}  // namespace evenkeel
