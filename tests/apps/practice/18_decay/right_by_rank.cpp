// Weights are what has more than one axis; in ops.
#include <evenkeel/practice.h>

using namespace evenkeel;

// One step of gradient descent on loss + lambda * (the sum of the squares of the decayed numbers).
// parameters[i] has a name, a value and a flag .decay; grads[i] is the gradient of the loss, without the penalty.
void sgd_step(const std::vector<Parameter>& parameters, const Grads& grads, double lr, double lambda) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor w = parameters[i].value;
    const Tensor now = w.detach().clone(), step = grads[i].detach() * lr;
    w.copy_from(w.shape().rank() > 1 ? now * (1 - 2 * lr * lambda) - step : now - step);
  }
}
