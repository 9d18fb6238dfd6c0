#include <evenkeel/practice.h>

using namespace evenkeel;

// The standard normal distribution function: the probability that z from N(0, 1) is less than t.
double Phi(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

// The fraction of examples for which relu(gamma z + beta) is active, that is gamma z + beta > 0, z from N(0, 1).
double active(double gamma, double beta) { return 0; }

// The beta for which that fraction is `fraction`, 0 < fraction < 1.
double beta_for(double gamma, double fraction) { return 0; }
