// A network made ready for inference: what can be computed once is, and nothing can be trained any more.
#pragma once
#include "../sequential.h"

namespace evenkeel {

// Folds batch norms (fold.h), then packs the filters of every convolution, and transforms them where it goes by
// Winograd's form. Filters are copied: later changes to them are not seen. Only Mode::eval is left. Threads may share
// the network.
void prepare_inference(Sequential& network);

}  // namespace evenkeel
