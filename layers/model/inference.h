// A network made ready for inference: what can be computed once is, and nothing can be trained any more.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// Replaces every convolution, together with a normalisation by running averages after it, by one whose filters are
// transformed and packed. The parameters and averages are copied: later changes to them are not seen. Only Mode::eval
// is left. Threads may share it.
void prepare_inference(Sequential& network);

}  // namespace evenkeel
