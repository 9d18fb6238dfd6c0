// Prepares a network for inference: computes once what does not depend on the input.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// Folds batch norms (fold.h), then packs the filters of every convolution, with Winograd's transform where it is used.
// The network keeps the packed filters alone, and supports only forward() in Mode::eval: parameters(), capture() and
// all else that names its tensors are an Error. Threads may share it.
void prepare_inference(Sequential& network);

}  // namespace evenkeel
