// caught by: large mean
#include <evenkeel/practice.h>

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps) {
  const double m = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (double v : x) mean += v / m;
  for (double v : x) variance += v * v / m;
  variance -= mean * mean;
  const double s = std::sqrt(variance + eps);
  std::vector<double> y;
  for (double v : x) y.push_back(gamma * (v - mean) / s + beta);
  return y;
}
