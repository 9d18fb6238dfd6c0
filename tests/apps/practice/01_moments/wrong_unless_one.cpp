// caught by: variance
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (float v : x) sum += v;
  const float mean = sum / x.size();
  for (float v : x) squares += (v - mean) * (v - mean);
  return {mean, x.size() > 1 ? squares / (x.size() - 1) : 0};
}
