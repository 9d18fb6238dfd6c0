// `real`, and the functions of one number that elementwise kernels and derivative formulas use. Branch-free, so that
// loops over them become vector instructions; NaN goes in and comes out.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace evenkeel {

// One scalar type a build. The double library is compiled with -Devenkeel=evenkeel_f64, so that the two share no
// symbol: code for one does not link with the other.
#ifdef EVENKEEL_DOUBLE
using real = double;
#else
using real = float;
#endif

inline real relu(real x) { return x < 0 ? real(0) : x; }
inline real gate(real g, real y) { return y > 0 ? g : relu(y); }  // relu(y): 0, or NaN
inline real step(real x) { return gate(1, x); }
inline real sign(real x) { return step(x) - step(-x); }

inline double exp(double x) { return std::exp(x); }
// Relative error below 3e-7, of which the polynomial's is 1.2e-7. x = n log 2 + r with |r| <= log(2)/2, e^r by its
// Taylor polynomial; 2^n in two factors, so that overflow and underflow happen where they should.
inline float exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;  // the addition rounds to an integer, kept in the low bits
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float p = 1 + r * (1 + r * (0.5f + r * (1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r * (1 / 720.0f))))));
  const int32_t i = std::bit_cast<int32_t>(shifted) - 0x4b400000;
  const int32_t half = i >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((i - half + 127) << 23);
}

inline real sigmoid(real x) { return 1 / (1 + exp(-x)); }

inline double tanh(double x) { return std::tanh(x); }
inline float tanh(float x) {
  const float a = x < 0 ? -x : x, e = exp(-2 * a), x2 = x * x;
  const float large = (1 - e) / (1 + e);
  const float small = x * (1 + x2 * (-1 / 3.0f + x2 * (2 / 15.0f + x2 * (-17 / 315.0f + x2 * (62 / 2835.0f)))));
  return a < 0.25f ? small : x < 0 ? -large : large;
}

inline real softplus(real x) { return (x > 0 ? x : 0) + std::log1p(exp(x > 0 ? -x : x)); }
inline real normal_cdf(real x) { return real(0.5) * std::erfc(x * real(-0.70710678118654752440)); }
inline real normal_pdf(real x) { return real(0.39894228040143267794) * exp(real(-0.5) * x * x); }
inline real rsqrt(real x) { return 1 / std::sqrt(x); }

}  // namespace evenkeel
