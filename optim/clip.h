// Gradient clipping.
#pragma once
#include "../core/engine/tensor.h"

namespace evenkeel {

// Scales the gradients so that the norm of all of them together is at most max_norm (Pascanu et al. 2013); returns the
// norm before. What is not finite is left as it is, to be seen. Gradients are replaced, not written to: others may
// share them.
double clip_by_global_norm(Grads& grads, double max_norm);

}  // namespace evenkeel
