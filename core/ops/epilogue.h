// The epilogue of an op: an addition and an activation, fused into the kernel that writes the result.
#pragma once
#include "../base/scalar.h"
#include "../engine/autograd.h"

namespace evenkeel {

class Finish;  // core/kernels/finish.h

// The adjoint of a pooling in a kernel, from its result y and dL/dy.
using Unpool = std::function<Tensor(const Tensor& y, const Tensor& g)>;

// y = max_pool(after(v + add)), each part if given.
struct Epilogue {
  Tensor add = {};  // of v's shape
  After after = After::nothing;
  bool pool = false;  // max_pool of 2x2 pixels; only of a convolution, see Layer::pools()
  // A batch norm follows. A convolution without bias, addition and activation then gathers y's moments while it writes
  // y, where its kernel can, and keeps them with y: moments() need not read y again.
  bool moments = false;

  Tensor operator()(Tensor v) const;  // the definition, made of ops
  Epilogue without_pool() const;      // and without the moments, which would be of another tensor

  // For an op v(x, w) that is linear in x and in w: y = after(v + bias + add), where bias is (C) or undefined.
  // Only the bias, the addition, the ReLU and the pooling are fused there. GELU follows as an op of its own, because
  // its derivative reads its input, which the kernel would not keep.
  Finish finish(const char* op, const Tensor& bias, const Tensor& y) const;  // for y's kernel; checks both shapes
  Tensor rest(const Tensor& y) const;                                        // what finish() leaves: gelu(y), or y
  // Records y. `product` is v, made of ops, for higher derivatives; `adjoints` makes the gradients of x and w from
  // dL/dv. `unpool`: if the kernel pooled.
  Tensor record(Tensor y, const Tensor& x, const Tensor& w, const Tensor& bias,
                std::function<Tensor(const Tensor& x, const Tensor& w)> product,
                std::function<Grads(const Tensor& dv)> adjoints, Unpool unpool = {},
                const char* op = __builtin_FUNCTION()) const;
};

}  // namespace evenkeel
