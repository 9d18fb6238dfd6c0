// One pass over the distances from the first value.
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (float v : x) {
    sum += v - x[0];
    squares += (v - x[0]) * (v - x[0]);
  }
  const float mean = sum / x.size();
  return {x[0] + mean, squares / x.size() - mean * mean};
}
