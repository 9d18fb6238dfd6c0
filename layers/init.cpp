#include "layers/init.h"

#include <charconv>
#include <cmath>

namespace evenkeel {

Init parse_init(const std::string& text) {
  if (text == "he") return {Init::Kind::he};
  if (text == "glorot") return {Init::Kind::glorot};
  if (text == "gaussian") return {Init::Kind::gaussian};
  if (text.starts_with("gaussian:")) {
    Init init{Init::Kind::gaussian};
    const char *begin = text.data() + 9, *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, init.deviation);
    if (error == std::errc() && stop == end && init.deviation > 0 && init.deviation <= 100) return init;
  }
  fail(Fault::usage, "init: must be he, glorot, gaussian or gaussian:DEVIATION with a deviation in (0, 100], got '{}'",
       text);
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
    case Init::Kind::gaussian:
      w = Tensor::normal(shape, random, 0, init.deviation);
      break;
  }
  return w.track();
}

}  // namespace evenkeel
