// Prepares a network for inference: computes once what does not depend on the input.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// Folds batch norms (fold.h), then packs the filters of every convolution, with Winograd's transform where it is used.
// The network keeps copies of the filters, and supports only Mode::eval. Threads may share it.
void prepare_inference(Sequential& network);

}  // namespace evenkeel
