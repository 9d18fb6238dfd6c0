// Curvature of a loss: Hessian-vector products, the Hessian's largest eigenvalue, and the Jacobian of any function.
#pragma once
#include <functional>

#include "../../core/engine/autograd.h"

namespace evenkeel {

// Computes a loss of one element from the parameters (tracked leaves), anew at every call.
using Objective = std::function<Tensor()>;

// H v, one tensor for every parameter: the derivative of <gradient, v> (Pearlmutter 1994). v has the parameters' number
// and shapes, else Error. Run batch norm in Mode::probe.
Grads hessian_vector_product(const Objective& f, const std::vector<Tensor>& parameters, const Grads& v);

// dy_i / dx_j of y = f(x) as a matrix (y.size(), x.size()), one backward pass for each row. Of a layer:
// jacobian([&](const Tensor& t) { return layer.forward(t, Mode::probe); }, x).
Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

// The losses at w - step g, for the parameters w, their gradient g and each step (Santurkar et al. 2018). smoothness is
// the largest ||gradient(w - step g) - g|| / ||step g||. Error unless all steps are positive. The parameters are
// restored, also if f throws.
struct AlongGradient {
  std::vector<double> losses;
  double smoothness = 0;
};
AlongGradient along_gradient(const Objective& f, const std::vector<Tensor>& parameters,
                             const std::vector<double>& steps);

struct LanczosOptions {
  int max_steps = 100;      // each costs one Hessian-vector product and keeps one vector of all parameters, in double
  double tolerance = 1e-4;  // of the residual, relative to the eigenvalue; in float the error of H u is about 1e-6
};
struct Eigenvalue {
  double value = 0;
  // ||H u - value u|| / ||u||, measured by one more product. An eigenvalue lies within this distance of `value`.
  double residual = 0;
  int steps = 0;
  Grads vector;  // u
};
// The algebraically largest eigenvalue of the Hessian of f at the parameters, by the Lanczos method with full
// reorthogonalisation from a random start. The gradient's graph is built once. Error if the Hessian is not finite.
Eigenvalue largest_eigenvalue(const Objective& f, const std::vector<Tensor>& parameters, Random& random,
                              const LanczosOptions& options = {});

}  // namespace evenkeel
