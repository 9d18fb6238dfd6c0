// Elementwise ops. Binary ones take two tensors of one shape, or a tensor and a number.
//
// NaN propagates through every op of core: a value or a derivative that depends on a NaN is NaN, also in relu, clamp,
// abs, sign, step and max_pool, which compare. (The derivative of a sum or a copy depends on no input. In count_correct
// NaN is never right.) A convolution multiplies the padding's zeros too, and Winograd's form whole tiles: there a NaN
// reaches every output.
#pragma once
#include "../engine/map.h"

namespace evenkeel {

Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, real b);
Tensor operator*(const Tensor& a, real b);
Tensor operator/(const Tensor& a, real b);
inline Tensor operator+(real a, const Tensor& b) { return b + a; }
inline Tensor operator*(real a, const Tensor& b) { return b * a; }
inline Tensor operator-(const Tensor& a) { return a * real(-1); }
inline Tensor operator-(const Tensor& a, real b) { return a + -b; }
inline Tensor operator-(real a, const Tensor& b) { return -b + a; }

Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);  // 1 / sqrt(x)
Tensor reciprocal(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);                  // natural; -infinity at 0, NaN below
Tensor abs(const Tensor& x);                  // derivative 0 at 0
Tensor sign(const Tensor& x);                 // -1, 0 or 1; its derivatives of all orders are zero
Tensor step(const Tensor& x, real from = 0);  // 1 where x > from, else 0; its derivatives of all orders are zero
Tensor relu(const Tensor& x);                 // max(x, 0); derivative 0 at 0
Tensor leaky_relu(const Tensor& x, real slope = real(0.01));  // x where x > 0, else slope x; derivative `slope` at 0
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor softplus(const Tensor& x);    // log(1 + e^x)
Tensor normal_cdf(const Tensor& x);  // Phi(x), the standard normal distribution function
Tensor normal_pdf(const Tensor& x);  // its derivative
Tensor gelu(const Tensor& x);        // x Phi(x) (Hendrycks and Gimpel 2016), exact
Tensor silu(const Tensor& x);        // x sigmoid(x) (Elfwing, Uchibe and Doya 2017)
// min(max(x, low), high); derivative 0 at low and at high. Error if low > high.
Tensor clamp(const Tensor& x, real low, real high);
Tensor gate(const Tensor& g, const Tensor& y);            // g where y > 0, else 0: the vjp of relu
Tensor pull_back_relu(const Tensor& g, const Tensor& y);  // gate(g, y) for a vjp; see reuse_or_empty()

}  // namespace evenkeel
