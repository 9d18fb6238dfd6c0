#include <evenkeel/practice.h>

using namespace evenkeel;

double Phi(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

double active(double gamma, double beta) { return Phi(beta / std::abs(gamma)); }

double beta_for(double gamma, double fraction) {
  // Phi grows: halve an interval around the t with Phi(t) = fraction. Then beta = t |gamma|.
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) (Phi((low + high) / 2) < fraction ? low : high) = (low + high) / 2;
  return low * std::abs(gamma);
}
