// Reverse-mode differentiation. Gradients are values: grad(loss, parameters) returns them.
//
// The three laws of a vjp:
// 1. It is written in ops, so that it can itself be differentiated: derivatives of any order come free.
// 2. It captures inputs and constants; never its output (which is passed to it), and never a raw statistic of a tracked
// input.
//    What it captures is named among the inputs: grad() watches those, and refuses a graph where one was written to
//    since.
// 3. A fused kernel may compute the gradient where nothing records; where the gradient must be differentiable it hands
//    over to a plain definition, by pull_back.
#pragma once
#include "tensor.h"

namespace evenkeel {

// Whether ops record their inputs and derivatives, on this thread and in the blocks of its parallel_for(). On at the
// start; off inside grad() unless its result is to be differentiated.
bool recording();

class Recording {  // sets it for a scope: `Recording off(false);`
 public:
  explicit Recording(bool on);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  bool before_;
};

// Makes y the result of an op on `inputs`. y must be new: created after all inputs, recorded once. Every op ends
// with this call.
// The vjp may return an undefined Tensor for an input that is not tracked.
// `op` is what errors call it: the function that calls record().
Tensor record(Tensor y, const std::vector<Tensor>& inputs, Vjp vjp, const char* op = __builtin_FUNCTION());

// a + b, of one shape. The engine's own op: a value that is used twice sums its gradients.
Tensor operator+(const Tensor& a, const Tensor& b);
void add_to(Tensor& sum, const Tensor& x);  // sum += x in place, for a sum that nobody else can see

// y as a node of its own, with gradient identity.
Tensor alias(const Tensor& y);

struct GradOptions {
  bool differentiable = false;  // the gradients are themselves recorded, for higher derivatives
  Tensor cotangent = {};        // dL/dy; may be left out where y has one element, and is then 1
};
// The gradients of y with respect to `wrt`, in that order, zeros where y does not depend on one. Pass y by std::move to
// let every activation be freed as soon as it has been used. The values that y was computed from must still be what
// they were: after a step of the optimiser, compute y again.
Grads grad(Tensor y, const std::vector<Tensor>& wrt, GradOptions options = {});

// The leaves that y depends on: what track() marked, oldest first.
std::vector<Tensor> leaves(const Tensor& y);

// The gradients of f(inputs) for cotangent g, recorded: how a fused op hands its derivative to its definition.
// f is differentiated at its inputs, not beyond them.
Grads pull_back(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                const Tensor& g);

}  // namespace evenkeel
