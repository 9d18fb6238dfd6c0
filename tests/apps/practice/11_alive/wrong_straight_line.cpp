// caught by: beta
#include <evenkeel/practice.h>

using namespace evenkeel;

double Phi(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

double active(double gamma, double beta) { return std::clamp(0.5 + beta / 6 / std::abs(gamma), 0.0, 1.0); }

double beta_for(double gamma, double fraction) { return (fraction - 0.5) * 6 * std::abs(gamma); }
