// How a training step moves a network: gradient norms, the rotation of weights, the shift of a layer's gradient.
#pragma once
#include "../../core/engine/parameter.h"
#include "../l2_norm.h"
#include "eigenvalue.h"

namespace evenkeel {

double angle(const Tensor& a, const Tensor& b);  // in radians, accurate for small angles too; 0 if a or b is zero

// The effect of the SGD step w - lr g on one parameter. Only the direction of weights before a batch norm matters: the
// effective rate and the angle measure its change; weight decay drives the angle to sqrt(2 lr wd). Both are 0 if w is
// zero.
struct Movement {
  std::string name;
  double gradient, weight;  // L2 norms
  double effective_rate;    // lr / |w|^2
  double angle;             // between w and w - lr g
};
std::vector<Movement> movements(const std::vector<Parameter>& parameters, const Grads& gradients, double lr);

// Internal covariate shift as Santurkar et al. (2018) define it: a layer's gradient G at w, and G' after all earlier
// layers have taken the step -lr g. A layer is the parameters whose names agree up to the last dot. The parameters are
// restored, also if f throws.
struct GradientShift {
  std::string layer;
  double distance, cosine;  // |G - G'|, and the cosine of their angle: 1 if G = G', 0 if only one of them is zero
};
std::vector<GradientShift> gradient_shifts(const Objective& f, const std::vector<Parameter>& parameters, double lr);

}  // namespace evenkeel
