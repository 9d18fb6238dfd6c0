// `real`, and the functions of one number that elementwise kernels and derivative formulas use. Branch-free, so that
// compilers vectorise loops over them. NaN propagates.
#pragma once
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

namespace evenkeel {

// One scalar type a build. The double library is compiled with -Devenkeel=evenkeel_f64, so that the two share no
// symbol: code for one does not link with the other.
#ifdef EVENKEEL_DOUBLE
using real = double;
#else
using real = float;
#endif

// The activation that a kernel applies to what it writes.
enum class After { nothing, relu, gelu };

inline real relu(real x) { return x < 0 ? real(0) : x; }
inline real gate(real g, real y) { return y > 0 ? g : relu(y); }  // relu(y): 0, or NaN
inline real step(real x, real from = 0) { return x > from ? real(1) : x <= from ? real(0) : x + from; }
inline real sign(real x) { return step(x) - step(-x); }

// Functions that the standard library also has are templates. So a call is not ambiguous in a program with `using
// namespace evenkeel`: overload resolution prefers the standard function if it takes the same type, as in libc++.
// Without our abs, abs(x) would call the C function for int in such a program.
template <std::floating_point T>
T abs(T x) {
  return std::abs(x);
}
template <std::floating_point T>
T sqrt(T x) {
  return std::sqrt(x);
}
template <std::same_as<double> T>
T log(T x) {
  return std::log(x);
}
// Relative error below 2e-7. x = 2^e m with sqrt(1/2) <= m < sqrt(2), log m by a polynomial in r = m - 1 (Moshier's
// Cephes, logf). Subnormal numbers are scaled by 2^23 first.
template <std::same_as<float> T>
T log(T x) {
  const bool small = x < 0x1p-126f;
  const uint32_t bits = std::bit_cast<uint32_t>(small ? x * 0x1p23f : x);
  const int32_t whole = static_cast<int32_t>(bits - 0x3f3504f3) >> 23;
  const float e = static_cast<float>(whole - (small ? 23 : 0));
  const float r = std::bit_cast<float>(bits - (static_cast<uint32_t>(whole) << 23)) - 1;
  const float p = 3.3333331174e-1f +
                  r * (-2.4999993993e-1f +
                       r * (2.0000714765e-1f +
                            r * (-1.6668057665e-1f +
                                 r * (1.4249322787e-1f +
                                      r * (-1.2420140846e-1f +
                                           r * (1.1676998740e-1f + r * (-1.1514610310e-1f + r * 7.0376836292e-2f)))))));
  const float y = r + (r * r * (r * p - 0.5f) + e * -2.12194440e-4f) + e * 0.693359375f;
  const float infinity = std::numeric_limits<float>::infinity();
  const float outside = x == 0 ? -infinity : x < 0 ? -NAN : x;  // also infinity and NaN
  return x > 0 && x < infinity ? y : outside;
}

template <std::same_as<double> T>
T exp(T x) {
  return std::exp(x);
}
// Relative error below 3e-7, of which the polynomial's is 1.2e-7. x = n log 2 + r with |r| <= log(2)/2, e^r by its
// Taylor polynomial; 2^n in two factors, so that overflow and underflow happen where they should.
template <std::same_as<float> T>
T exp(T x) {
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

template <std::same_as<double> T>
T tanh(T x) {
  return std::tanh(x);
}
// Relative error below 5e-7, by Eigen 3's rational function; beyond 8 in magnitude the result is 1 or -1.
template <std::same_as<float> T>
T tanh(T x) {
  const float end = 7.99881172f, v = x > end ? end : x < -end ? -end : x, z = v * v;
  const float p =
      4.89352456e-3f +
      z * (6.37261929e-4f +
           z * (1.48572236e-5f +
                z * (5.12229709e-8f + z * (-8.60467152e-11f + z * (2.00018790e-13f + z * -2.76076848e-16f)))));
  const float q = 4.89352519e-3f + z * (2.26843463e-3f + z * (1.18534706e-4f + z * 1.19825839e-6f));
  const float y = v * (p / q);  // v * p would be subnormal for a small v
  return x > end ? 1.0f : x < -end ? -1.0f : y;
}

// log(1 + x) for x from 0 to 1. In float the relative error is below 2e-7, by 2 artanh(x / (2 + x)).
inline double log1p_unit(double x) { return std::log1p(x); }
inline float log1p_unit(float x) {
  const float s = x / (2 + x), z = s * s;
  return 2 * s * (1 + z * (1 / 3.0f + z * (1 / 5.0f + z * (1 / 7.0f + z * (1 / 9.0f + z * (1 / 11.0f + z / 13.0f))))));
}
inline real softplus(real x) { return (x > 0 ? x : 0) + log1p_unit(exp(x > 0 ? -x : x)); }

inline double normal_cdf(double x) { return 0.5 * std::erfc(x * -0.70710678118654752440); }
// Absolute error below 3e-7; relative error below 3e-6 from -9 to 0. normal_cdf(-a) exp(a^2 / 2) is a polynomial in
// 1 / (1 + a / 4), fitted to a relative error of 7e-8 on 0 <= a <= 14.5.
inline float normal_cdf(float x) {
  const float a = x < 0 ? -x : x, t = 4 / (4 + a);
  const float p =
      t * (0.0997928306f +
           t * (0.0985932350f +
                t * (0.103218153f +
                     t * (0.0349404961f +
                          t * (0.197136998f +
                               t * (-0.199217513f + t * (0.290472806f + t * (-0.150112212f + t * 0.0251751617f))))))));
  const float tail = p * exp(-0.5f * x * x);
  return x < 0 ? tail : 1 - tail;
}
inline real normal_pdf(real x) { return real(0.39894228040143267794) * exp(real(-0.5) * x * x); }
inline real gelu(real x) { return x * normal_cdf(x); }
template <class T>
T gelu_slope(const T& x) {  // gelu's derivative, of numbers and of tensors
  return normal_cdf(x) + x * normal_pdf(x);
}
inline real rsqrt(real x) { return 1 / std::sqrt(x); }

}  // namespace evenkeel
