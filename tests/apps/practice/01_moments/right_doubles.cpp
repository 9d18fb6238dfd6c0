// Sums in double.
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  const double m = x.size();
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / m;
  double squares = 0;
  for (double v : x) squares += (v - mean) * (v - mean);
  return {float(mean), float(squares / m)};
}
