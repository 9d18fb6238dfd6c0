// caught by: small variance
#include <evenkeel/practice.h>

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double) {
  const double m = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (double v : x) mean += v / m;
  for (double v : x) variance += (v - mean) * (v - mean) / m;
  const double s = std::sqrt(variance + 1e-3);
  std::vector<double> y;
  for (double v : x) y.push_back(gamma * (v - mean) / s + beta);
  return y;
}
