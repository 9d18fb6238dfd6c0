// The table of experiments, and of the report's chapters, both in the order of the textbook's.
#pragma once
#include "apps/lab/lab.h"

namespace evenkeel::lab {

extern const Experiment transform, identity, axes, dilution, inputs, renewal, drift, gradient_shift, injected,
    saturation, vanishing, relu_activity, alive, depth, paper, jacobian_experiment, derivatives, one_layer, coupling,
    landscape, rates, at_scale, explosion, noise, ensemble_experiment, regularising, averages, estimates, rounding,
    dialects_experiment, shift, domain, scale, thermostat_experiment, decay, decoupled, renorm, batch_size, sequences,
    two_labs, privacy, vision, mistakes;

inline const Experiment* const experiments[] = {&transform,
                                                &identity,
                                                &axes,  // a chapter a line
                                                &dilution,
                                                &inputs,
                                                &renewal,
                                                &drift,
                                                &gradient_shift,
                                                &injected,
                                                &saturation,
                                                &vanishing,
                                                &relu_activity,
                                                &alive,
                                                &depth,
                                                &paper,
                                                &jacobian_experiment,
                                                &derivatives,
                                                &one_layer,
                                                &coupling,
                                                &landscape,
                                                &rates,
                                                &at_scale,
                                                &explosion,
                                                &noise,
                                                &ensemble_experiment,
                                                &regularising,
                                                &averages,
                                                &estimates,
                                                &rounding,
                                                &dialects_experiment,
                                                &shift,
                                                &domain,
                                                &scale,
                                                &thermostat_experiment,
                                                &decay,
                                                &decoupled,
                                                &renorm,
                                                &batch_size,
                                                &vision,
                                                &sequences,
                                                &two_labs,
                                                &privacy,
                                                &mistakes};

inline const std::vector<Chapter> chapters{
    {"The transform",
     "Batch normalisation sits between a layer and its activation function. In training it looks at one feature at a "
     "time, over all m "
     "examples of the batch: it takes their mean mu and their variance sigma^2, (1) moves the values to mean 0 and (2) "
     "scales them to "
     "variance 1, $xhat = (x - mu) / sqrt(sigma^2 + eps)$, where the small eps keeps the root from 0; then (3) it "
     "applies $y = gamma xhat + beta$ with a gamma and a beta that are learned. For images a feature is a channel, and "
     "its values are those of "
     "all pixels of all "
     "images. This chapter checks the arithmetic."},
    {"Internal covariate shift",
     "While a network learns, every layer's inputs change because the layers before it do. The authors of batch "
     "normalisation called this "
     "internal covariate shift and gave it as the reason for their method. Standardising the data that enter the "
     "network is not enough: "
     "affine layers and ReLUs undo it within a few layers. This chapter measures how far standardised inputs reach, "
     "how much of the drift batch normalisation really removes, and that by another definition of internal "
     "covariate shift it removes hardly anything: part of its success must have other reasons."},
    {"Gradient flow",
     "A sigmoid or tanh is flat far from zero, and passes hardly any gradient there; a ReLU whose input is always "
     "negative passes none. Centring the input of an activation keeps it where the activation has a slope. The gain "
     "can be computed, and depends on more than the mean."},
    {"Smoothing the landscape",
     "Curvature limits the learning rate: gradient descent on a parabola diverges beyond 2 over its curvature. "
     "Networks with batch "
     "normalisation are said to have a smoother loss, measured by the largest eigenvalue lambda of the Hessian, the "
     "matrix of second "
     "derivatives. In training every output depends on the whole batch, so that its Jacobian, the matrix of dy_i / "
     "dx_j, is dense: that matrix and its derivatives determine the gradients, the curvature, and the noise that the "
     "other examples of a batch add to each one."},
    {"Inference",
     "At test time an answer must not depend on the other examples in the batch. Batch normalisation then uses a mean "
     "and a "
     "variance of the whole "
     "population, kept during training as running averages, $r <- (1 - a) r$ + a (value of the batch), and becomes a "
     "fixed affine map of each "
     "feature. Averages that start at zero are biased, and population statistics of one data set may be wrong for "
     "another. Both errors have formulas, and remedies."},
    {"Weight decay",
     "Multiplying all weights before a batch normalisation by a positive number changes nothing that comes out of it. "
     "So a penalty on their size cannot restrict the function. Instead it determines how far a step of given length "
     "turns the weights: weight decay is a hidden learning-rate schedule."},
    {"Batch renormalisation",
     "Training with a batch's statistics and testing with the population's are two different functions, the more so "
     "the smaller the batch. "
     "Batch renormalisation (Ioffe 2017) multiplies by r and adds d, chosen so that training computes what inference "
     "will, and treats both "
     "as constants when gradients are taken. Group normalisation avoids the batch altogether."},
    {"Applications",
     "Sequences of unequal length are padded; laboratories measure with unequal instruments; privacy requires a limit "
     "on the influence of one example. In each case the question is which values share a mean and a variance. "
     "(Networks for images "
     "are trained by "
     "`evenkeel train`, with and without.)"},
    {"Hands-on practices",
     "Most trouble with batch normalisation comes from a short list of mistakes, which users of every framework report "
     "year after year. "
     "Each is computed here beside the correct result; in this framework most of them raise an error or are "
     "impossible."},
};

}  // namespace evenkeel::lab
