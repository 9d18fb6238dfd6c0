// How a step of training moves a network: its gradients' norms, the turn of its weights, the shift of a layer's
// gradient.
#pragma once
#include "../../core/engine/parameter.h"
#include "../l2_norm.h"
#include "eigenvalue.h"

namespace evenkeel {

double angle(const Tensor& a, const Tensor& b);  // in radians, exact for small ones too; 0 where one of them is zero

// What the plain step w - lr g does to one parameter. Of weights before a batch norm only the direction matters: theirs
// are the effective rate and the angle, which weight decay drives to sqrt(2 lr wd). Both are 0 of a parameter that is
// zero.
struct Movement {
  std::string name;
  double gradient, weight;  // norms
  double effective_rate;    // lr / |w|^2
  double angle;             // between w and w - lr g
};
std::vector<Movement> movements(const std::vector<Parameter>& parameters, const Grads& gradients, double lr);

// Internal covariate shift as Santurkar et al. (2018) define it: a layer's gradient at w, and where all layers before
// it have taken the plain step -lr g. A layer is the parameters whose names agree up to the last dot. The parameters
// are left as they were, where f throws too.
struct GradientShift {
  std::string layer;
  double distance, cosine;  // |G - G'|, and of the angle between them: 1 is no shift, 0 also where one of them is zero
};
std::vector<GradientShift> gradient_shifts(const Objective& f, const std::vector<Parameter>& parameters, double lr);

}  // namespace evenkeel
