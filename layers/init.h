// Initial weights.
#pragma once
#include <string>

#include "../core/engine/tensor.h"

namespace evenkeel {

struct Init {
  enum class Kind {
    he,       // N(0, 2 / fan_in) (He et al. 2015), for ReLU
    uniform,  // U(-a, a), a = 1 / sqrt(fan_in): PyTorch's default
    // In a convolution each of the first min(K, C) filters copies one channel, so that an image passes through the
    // untrained network; all other weights are as in `uniform` (Zagoruyko and Komodakis 2017, DiracNets).
    dirac,
    glorot,   // U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010), for sigmoid and tanh
    gaussian  // N(0, deviation^2): the small random Gaussian values of Ioffe and Szegedy 2015, section 4.1
  } kind = Kind::he;
  double deviation = 0.01;  // of gaussian
};
constexpr const char* init_forms = "he, glorot, uniform, dirac, gaussian:DEVIATION";
// One of the forms; "gaussian" alone has the default deviation. Error(Fault::usage) for any other text, and for a
// deviation that is not above 0 and at most 100.
Init parse_init(const std::string& text);

// A weight of this shape, (out, in) or (K, R, S, C), as a tracked leaf. fan_in is the product of all axes but the
// first, fan_out that of all but the last.
Tensor initial_weight(const Shape& shape, const Init& init, Random& random);

}  // namespace evenkeel
