// caught by: constant
#include <evenkeel/practice.h>

using namespace evenkeel;

// One step of a running average: the old average, the value of this batch, and the momentum as PyTorch means it,
//   new average = (1 - momentum) * old + momentum * batch.
double update(double running, double batch, double momentum) { return momentum * running + (1 - momentum) * batch; }

// The momentum to give to update(), from that of a Keras layer. Keras means
//   new average = momentum * old + (1 - momentum) * batch.
double from_keras(double keras_momentum) { return 1 - keras_momentum; }
