// Newton steps, and the other tail.
#include <evenkeel/practice.h>

using namespace evenkeel;

double Phi(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

double active(double gamma, double beta) { return 1 - Phi(-beta / std::fabs(gamma)); }

double beta_for(double gamma, double fraction) {
  double t = 0;
  for (int i = 0; i < 200; ++i) {
    const double slope = std::exp(-t * t / 2) / std::sqrt(2 * 3.14159265358979323846);
    t -= std::clamp((Phi(t) - fraction) / slope, -0.5, 0.5);
  }
  return t * std::fabs(gamma);
}
