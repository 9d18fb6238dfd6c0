// caught by: large mean
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (float v : x) {
    sum += v;
    squares += v * v;
  }
  const float mean = sum / x.size();
  return {mean, std::max(0.0f, squares / x.size() - mean * mean)};
}
