// The library's optimiser, whose decay is 2 lambda.
#include <evenkeel/practice.h>

using namespace evenkeel;

// One step of gradient descent on loss + lambda * (the sum of the squares of the decayed numbers).
// parameters[i] has a name, a value and a flag .decay; grads[i] is the gradient of the loss, without the penalty.
void sgd_step(const std::vector<Parameter>& parameters, const Grads& grads, double lr, double lambda) {
  Sgd(parameters, {.lr = lr, .weight_decay = 2 * lambda}).step(grads);
}
