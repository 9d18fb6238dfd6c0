// Reverse-mode differentiation. Gradients are values: grad(loss, parameters) returns them.
//
// The three laws of a vjp:
// 1. It is written in ops, so that it can itself be differentiated: derivatives of any order come free.
// 2. It captures inputs and constants. It never captures the op's result (a vjp of two arguments gets it as the first),
//    nor a statistic that was computed from a tracked input without ops. Every captured tensor is among the inputs
//    given to record(): grad() refuses a graph if one of them was written to after recording. An input that is not
//    captured is given as x.without_values(), so that its memory is free as soon as no other op needs it.
// 3. A fused kernel may compute the gradient while recording() is false; otherwise the vjp calls pull_back() with a
//    definition made of ops.
#pragma once
#include "tensor.h"

namespace evenkeel {

// Whether ops record their inputs and derivatives, on this thread and in the blocks of its parallel_for(). On by
// default; off inside grad() unless GradOptions::differentiable is set.
bool recording();

class Recording {  // sets recording() for a scope: `Recording off(false);`
 public:
  explicit Recording(bool on);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  bool before_;
};

// A vjp of y and g. Unless `reads_result` is true, the graph does not keep y, and the vjp gets an undefined Tensor.
Vjp vjp_of(bool reads_result, std::function<Grads(const Tensor& y, const Tensor& g)> vjp);

// Makes y the result of an op on `inputs`, and returns it. Every op ends with this call. y must be new: created after
// all inputs, recorded once. The vjp returns a gradient for each tracked input; for any other input it may return an
// undefined Tensor. Errors call the op `op`: by default the name of the calling function.
Tensor record(Tensor y, const std::vector<Tensor>& inputs, Vjp vjp, const char* op = __builtin_FUNCTION());

// For a vjp's kernel that computes element i of a gradient from element i of the cotangent g, while recording() is
// false: the tensor to write to. It is g itself if no other handle shares its values, and saves a second tensor;
// otherwise it is a new one.
Tensor reuse_or_empty(const Tensor& g);

// a + b, equal shapes. The engine's only op: it sums the gradients of a value that is used twice.
Tensor operator+(const Tensor& a, const Tensor& b);
void add_to(Tensor& sum, const Tensor& x);  // sum += x in place; Error if another handle shares the sum's values

// y as a new node, whose derivative is the identity.
Tensor alias(const Tensor& y);

struct GradOptions {
  bool differentiable = false;  // record the gradients, for higher derivatives
  Tensor cotangent = {};        // dL/dy; default 1, if y has one element
};
// The gradients of y with respect to each tensor of `wrt`, in order and of its shape; zeros if y does not depend on it.
// Unless options.differentiable is set they are severed: a derivative through them is an error. Error(Fault::usage) if
// y or a tensor of `wrt` is not tracked, if y was computed through a severed tensor, if the cotangent has not y's
// shape, or if values that a vjp reads were written to: after an optimiser's step, compute y again. Pass y by std::move
// to free every activation after its last use.
Grads grad(Tensor y, const std::vector<Tensor>& wrt, GradOptions options = {});

// The leaves (marked by track()) that y depends on, oldest first.
std::vector<Tensor> leaves(const Tensor& y);

// The gradients of f(inputs) for cotangent g, recorded if recording() is true: a fused op gets its differentiable
// gradient from its definition f. Differentiation stops at the inputs.
Grads pull_back(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                const Tensor& g);

}  // namespace evenkeel
