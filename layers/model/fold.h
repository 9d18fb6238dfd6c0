// Folding: in inference, the weights of a convolution or dense layer can include the batch normalisation after it.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// With s = gamma / sqrt(running_var + eps):  norm(W x + b) = (s W) x + s (b - running_mean) + beta. The network
// computes the same in Mode::eval, up to rounding; do not train it afterwards. Norms after other layers, or before an
// instance norm, stay. Returns the number of folded norms.
int fold_batch_norms(Sequential& network);

}  // namespace evenkeel
