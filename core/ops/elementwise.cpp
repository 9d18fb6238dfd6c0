#include "core/ops/elementwise.h"

namespace evenkeel {

Tensor operator-(const Tensor& a, const Tensor& b) {
  return record(map(a, b, [](real x, real y) { return x - y; }), {a.without_values(), b.without_values()},
                [](const Tensor& g) {
                  return Grads{g, -g};
                });
}

Tensor operator*(const Tensor& a, const Tensor& b) {
  return record(map(a, b, [](real x, real y) { return x * y; }), {a, b}, [a, b](const Tensor& g) {
    return Grads{a.tracked() ? g * b : Tensor(), b.tracked() ? g * a : Tensor()};
  });
}

Tensor operator/(const Tensor& a, const Tensor& b) {
  return record(map(a, b, [](real x, real y) { return x / y; }), {a, b}, [b](const Tensor& y, const Tensor& g) {
    const Tensor da = g / b;
    return Grads{da, b.tracked() ? -(da * y) : Tensor()};
  });
}

Tensor operator+(const Tensor& a, real b) {
  return record(map(a, [b](real x) { return x + b; }), {a.without_values()}, [](const Tensor& g) { return Grads{g}; });
}

Tensor operator*(const Tensor& a, real b) {
  return record(map(a, [b](real x) { return x * b; }), {a.without_values()},
                [b](const Tensor& g) { return Grads{g * b}; });
}

Tensor operator/(const Tensor& a, real b) {
  return record(map(a, [b](real x) { return x / b; }), {a.without_values()},
                [b](const Tensor& g) { return Grads{g / b}; });
}

Tensor square(const Tensor& x) {
  return unary(
      x, [](real v) { return v * v; }, [](auto a, auto, auto g) { return 2 * (g * a); });
}

Tensor sqrt(const Tensor& x) {
  return unary(
      x, [](real v) { return std::sqrt(v); }, [](auto, auto y, auto g) { return real(0.5) * (g / y); });
}

Tensor rsqrt(const Tensor& x) {
  return unary(
      x, [](real v) { return rsqrt(v); }, [](auto, auto y, auto g) { return real(-0.5) * (g * y * y * y); });
}

Tensor reciprocal(const Tensor& x) {
  return unary(
      x, [](real v) { return 1 / v; }, [](auto, auto y, auto g) { return -(g * y * y); });
}

Tensor exp(const Tensor& x) {
  return unary(
      x, [](real v) { return exp(v); }, [](auto, auto y, auto g) { return g * y; });
}

Tensor log(const Tensor& x) {
  return unary(
      x, [](real v) { return log(v); }, [](auto a, auto, auto g) { return g / a; });
}

Tensor abs(const Tensor& x) {
  return unary(
      x, [](real v) { return std::abs(v); }, [](auto a, auto, auto g) { return g * sign(a); });
}

Tensor sign(const Tensor& x) {
  return unary(
      x, [](real v) { return sign(v); }, [](auto a, auto, auto g) { return g * (real(0) * step(a)); });
}

Tensor step(const Tensor& x, real from) {
  return unary(
      x, [from](real v) { return step(v, from); }, [](auto, auto y, auto g) { return g * (real(0) * y); });
}

Tensor gate(const Tensor& g, const Tensor& y) {
  const Tensor at = y.detach();  // no gradient flows through the condition
  return record(map(g, at, [](real a, real b) { return gate(a, b); }), {g.without_values(), at}, [at](const Tensor& h) {
    return Grads{gate(h, at), Tensor()};
  });
}

Tensor pull_back_relu(const Tensor& g, const Tensor& y) {
  check_same_shape("pull_back_relu", g, y);
  if (recording()) return gate(g, y);
  return map_onto(
      reuse_or_empty(g), [](real a, real b) { return gate(a, b); }, g.data(), y.data());
}

Tensor relu(const Tensor& x) {
  return record(map(x, [](real v) { return relu(v); }), {x.without_values()},
                [](const Tensor& y, const Tensor& g) { return Grads{pull_back_relu(g, y)}; });
}

Tensor leaky_relu(const Tensor& x, real slope) {
  return unary(
      x, [slope](real v) { return v > 0 ? v : slope * v; },
      [slope](auto a, auto, auto g) {
        const auto s = step(a);
        return g * (s + slope * (1 - s));
      });
}

Tensor sigmoid(const Tensor& x) {
  return unary(
      x, [](real v) { return sigmoid(v); }, [](auto, auto y, auto g) { return g * y * (1 - y); });
}

Tensor tanh(const Tensor& x) {
  return unary(
      x, [](real v) { return tanh(v); }, [](auto, auto y, auto g) { return g * (1 - y * y); });
}

Tensor softplus(const Tensor& x) {
  return unary(
      x, [](real v) { return softplus(v); }, [](auto a, auto, auto g) { return g * sigmoid(a); });
}

Tensor normal_cdf(const Tensor& x) {
  return unary(
      x, [](real v) { return normal_cdf(v); }, [](auto a, auto, auto g) { return g * normal_pdf(a); });
}

Tensor normal_pdf(const Tensor& x) {
  return unary(
      x, [](real v) { return normal_pdf(v); }, [](auto a, auto y, auto g) { return -(g * a * y); });
}

Tensor gelu(const Tensor& x) {
  return unary(
      x, [](real v) { return gelu(v); }, [](auto a, auto, auto g) { return g * gelu_slope(a); });
}

Tensor silu(const Tensor& x) {
  return unary(
      x, [](real v) { return v * sigmoid(v); },
      [](auto a, auto y, auto g) {
        const auto s = sigmoid(a);
        return g * (s + y * (1 - s));
      });
}

Tensor clamp(const Tensor& x, real low, real high) {
  check(low <= high, "clamp: low must not exceed high, got {} and {}", low, high);
  return unary(
      x, [low, high](real v) { return v < low    ? low
                                      : v > high ? high
                                                 : v; },
      [low, high](auto a, auto, auto g) { return g * (step(a, low) * step(-a, -high)); });
}

}  // namespace evenkeel
