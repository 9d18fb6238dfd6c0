// caught by: both
#include <evenkeel/practice.h>

using namespace evenkeel;

// One step of gradient descent on loss + lambda * (the sum of the squares of the decayed numbers).
// parameters[i] has a name, a value and a flag .decay; grads[i] is the gradient of the loss, without the penalty.
void sgd_step(const std::vector<Parameter>& parameters, const Grads& grads, double lr, double lambda) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor w = parameters[i].value;  // the network's own numbers: writing to w changes the network
    const double* g = grads[i].data();
    const double keep = parameters[i].decay ? 1 - 2 * lr * lambda : 1;
    for (int64_t j = 0; j < w.size(); ++j) {
      const double old = w.data()[j];
      w.mutable_data()[j] = keep * (old - lr * g[j]);
    }
  }
}
