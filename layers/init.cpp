#include "layers/init.h"

#include <algorithm>
#include <cmath>

#include "core/base/number.h"

namespace evenkeel {
namespace {

// Sets filter k of (K, R, S, C), for k < min(K, C), to 1 in its centre at channel k and 0 elsewhere.
void make_identities(Tensor& w) {
  const int64_t size = w.size() / w.dim(0), centre = w.dim(1) / 2 * w.dim(2) + w.dim(2) / 2;
  for (int64_t k = 0; k < std::min(w.dim(0), w.dim(3)); ++k) {
    real* filter = w.mutable_data() + k * size;
    std::fill_n(filter, size, real(0));
    filter[centre * w.dim(3) + k] = 1;
  }
}

}  // namespace

Init parse_init(const std::string& text) {
  if (text == "he") return {Init::Kind::he};
  if (text == "glorot") return {Init::Kind::glorot};
  if (text == "uniform") return {Init::Kind::uniform};
  if (text == "dirac") return {Init::Kind::dirac};
  if (text == "gaussian") return {Init::Kind::gaussian};
  if (text.starts_with("gaussian:")) {
    Init init{Init::Kind::gaussian};
    if (parse_number(std::string_view(text).substr(9), init.deviation) && init.deviation > 0 && init.deviation <= 100)
      return init;
  }
  fail(Fault::usage, "init: must be {}, with a deviation above 0 and at most 100, got '{}'", init_forms, text);
}

Tensor initial_weight(const Shape& shape, const Init& init, Random& random) {
  const double fan_in = static_cast<double>(shape.size() / std::max<int64_t>(1, shape[0]));
  const double fan_out = static_cast<double>(shape.rows());
  Tensor w;
  switch (init.kind) {
    case Init::Kind::he:
      w = Tensor::normal(shape, random, 0, std::sqrt(2 / fan_in));
      break;
    case Init::Kind::glorot: {
      const double a = std::sqrt(6 / (fan_in + fan_out));
      w = Tensor::uniform(shape, random, -a, a);
      break;
    }
    case Init::Kind::uniform:
    case Init::Kind::dirac:
      w = Tensor::uniform(shape, random, -1 / std::sqrt(fan_in), 1 / std::sqrt(fan_in));
      if (init.kind == Init::Kind::dirac && shape.rank() == 4 && shape.size() > 0) make_identities(w);
      break;
    case Init::Kind::gaussian:
      w = Tensor::normal(shape, random, 0, init.deviation);
      break;
  }
  return w.track();
}

}  // namespace evenkeel
