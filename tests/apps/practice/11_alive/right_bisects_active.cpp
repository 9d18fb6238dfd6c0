// Halves an interval of beta itself.
#include <evenkeel/practice.h>

using namespace evenkeel;

double Phi(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

double active(double gamma, double beta) { return gamma < 0 ? Phi(-beta / gamma) : Phi(beta / gamma); }

double beta_for(double gamma, double fraction) {
  double low = -1, high = 1;
  while (active(gamma, low) > fraction) low *= 2;
  while (active(gamma, high) < fraction) high *= 2;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    if (active(gamma, middle) < fraction)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}
