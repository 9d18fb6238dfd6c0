// caught by: mean
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  const float m = static_cast<float>(x.size());
  const float mean = static_cast<float>(std::accumulate(x.begin(), x.end(), 0)) / m;  // the 0 is an int
  float squares = 0;
  for (float v : x) squares += (v - mean) * (v - mean);
  return {mean, squares / m};
}
