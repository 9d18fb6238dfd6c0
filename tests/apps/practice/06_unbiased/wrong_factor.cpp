// caught by: variance
#include <evenkeel/practice.h>

struct Normalised {
  std::vector<double> xhat;
  double running_variance;  // kept for inference
};

Normalised normalise_batch(const std::vector<double>& x, double eps) {
  const double m = static_cast<double>(x.size());
  double mean = 0, squares = 0;
  for (double v : x) mean += v / m;
  for (double v : x) squares += (v - mean) * (v - mean);
  const double unbiased = squares / (m - 1);
  const double s = std::sqrt(unbiased + eps);

  Normalised n;
  for (double v : x) n.xhat.push_back((v - mean) / s * std::sqrt(m / (m - 1)));
  n.running_variance = unbiased;
  return n;
}
