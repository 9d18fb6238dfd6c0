// Curvature of a loss: products with its Hessian, and the Hessian's largest eigenvalue; the Jacobian of any function.
#pragma once
#include <functional>

#include "../../core/engine/autograd.h"

namespace evenkeel {

// A loss of one element, made anew of the parameters (tracked leaves) at every call.
using Objective = std::function<Tensor()>;

// H v, one tensor for every parameter: the derivative of <gradient, v> (Pearlmutter 1994). Batch norm must stand in
// probe mode.
Grads hessian_vector_product(const Objective& f, const std::vector<Tensor>& parameters, const Grads& v);

// dy_i / dx_j of y = f(x) as a matrix (y.size(), x.size()), one pull-back a row. Of a layer:
// jacobian([&](const Tensor& t) { return layer.forward(t, Mode::probe); }, x).
Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

// The loss and how its gradient changes on the way along the negative gradient g (Santurkar et al. 2018): at the
// parameters less step g, for every step. smoothness is the largest ||gradient there - g|| / ||step g||. The parameters
// are left as they were, where f throws too.
struct AlongGradient {
  std::vector<double> losses;
  double smoothness = 0;
};
AlongGradient along_gradient(const Objective& f, const std::vector<Tensor>& parameters,
                             const std::vector<double>& steps);

struct LanczosOptions {
  int max_steps = 100;      // each costs one product with H and keeps one vector as long as all parameters, in double
  double tolerance = 1e-4;  // of the residual, relative to the eigenvalue; in float H u itself is no better than 1e-6
};
struct Eigenvalue {
  double value = 0;
  double residual =
      0;  // ||H u - value u|| / ||u||, measured, by one more product: an eigenvalue lies so near to `value`
  int steps = 0;
  Grads vector;  // u
};
// The algebraically largest eigenvalue of the Hessian of f at the parameters, by Lanczos' method with full
// reorthogonalisation from a random start. The graph of the gradient is built once.
Eigenvalue largest_eigenvalue(const Objective& f, const std::vector<Tensor>& parameters, Random& random,
                              const LanczosOptions& options = {});

}  // namespace evenkeel
