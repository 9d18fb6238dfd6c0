// The option of every normalisation.
#pragma once
#include "../../core/base/options.h"
#include "../layer.h"

namespace evenkeel {

inline constexpr Range norm_eps{1e-30, 1};

struct EpsOptions {
  real eps = default_eps;
  static void each(auto& o, auto&& option) { option("eps", o.eps, norm_eps, "inside the root"); }
};

}  // namespace evenkeel
