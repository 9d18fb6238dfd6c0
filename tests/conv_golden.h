// Convolution and pooling against PyTorch's values; see tests/golden/make_conv_golden.py. For both scalar types.
#pragma once
#include "tests/golden.h"

namespace evenkeel {

inline void check_conv_golden(double tolerance) {
  const nlohmann::json cases = golden("conv_golden.json");
  CHECK(cases.size() == 19);
  for (const nlohmann::json& c : cases) {
    CAPTURE(c.dump());
    auto shape = [&](const char* name) { return Shape{c[name][0], c[name][1], c[name][2], c[name][3]}; };
    auto agrees = [&](const Tensor& got, const char* name) { check_golden(got, c[name], tolerance); };
    const std::string op = c["op"];
    std::vector<Tensor> in{wave(shape("x"), 0).track()};
    if (op == "conv2d") in.push_back(wave(shape("w"), 1).track());
    Tensor y;
    if (op == "conv2d") {
      y = conv2d(in[0], in[1], {.stride = c["stride"], .padding = c["padding"], .groups = c["groups"]});
    } else {
      const PoolOptions options{.size = c["size"], .stride = c["stride"], .padding = c["padding"]};
      y = op == "max_pool" ? max_pool(in[0], options) : avg_pool(in[0], options);
    }
    agrees(y, "y");
    const Grads d = grad(y, in, {.cotangent = wave(y.shape(), 2)});
    agrees(d[0], "dx");
    if (op == "conv2d") agrees(d[1], "dw");
  }
}

}  // namespace evenkeel
