// Gradient clipping.
#pragma once
#include "../core/engine/tensor.h"

namespace evenkeel {

// g <- g min(1, max_norm / |g|), where |g| is the L2 norm of all gradients together (Pascanu et al. 2013); returns |g|.
// Error unless max_norm > 0. Leaves gradients that are not finite unchanged, so that the caller can see them. Replaces
// tensors instead of writing to them, because others may share their values.
double clip_by_global_norm(Grads& grads, double max_norm);

}  // namespace evenkeel
