// Gradient clipping.
#pragma once
#include "../core/engine/tensor.h"

namespace evenkeel {

// Scales the gradients so that their common L2 norm is at most max_norm (Pascanu et al. 2013); returns the norm before.
// Leaves gradients that are not finite unchanged, so that the caller can see them. Replaces tensors instead of writing
// to them, because others may share their values.
double clip_by_global_norm(Grads& grads, double max_norm);

}  // namespace evenkeel
