// caught by: crash
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (size_t i = 1; i <= x.size(); ++i) sum += x[i];
  const float mean = sum / x.size();
  for (float v : x) squares += (v - mean) * (v - mean);
  return {mean, squares / x.size()};
}
