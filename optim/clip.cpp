#include "optim/clip.h"

#include <cmath>

#include "core/engine/map.h"
#include "optim/l2_norm.h"

namespace evenkeel {

double clip_by_global_norm(Grads& grads, double max_norm) {
  check(max_norm > 0, "clip_by_global_norm: the largest norm must be positive, got {}", max_norm);
  const Recording off(false);
  double norm = 0;
  for (const Tensor& g : grads) norm = std::hypot(norm, l2_norm(g));
  if (norm <= max_norm || !std::isfinite(norm)) return norm;
  const double share = max_norm / norm;  // in double: may underflow a float
  for (Tensor& g : grads) g = record(map(g, [share](real v) { return static_cast<real>(share * v); }), {g}, {});
  return norm;
}

}  // namespace evenkeel
