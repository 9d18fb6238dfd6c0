// Folding: a batch normalisation that follows a convolution or a dense layer is, in inference, part of that layer's
// weights.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// With s = gamma / sqrt(running_var + eps):  norm(W x + b) = (s W) x + s (b - running_mean) + beta.
// What the network computes in Mode::eval stays the same up to rounding; it is not to be trained any more. A
// normalisation that follows anything else, or stands before an instance norm, stays. Returns how many went.
int fold_batch_norms(Sequential& network);

}  // namespace evenkeel
