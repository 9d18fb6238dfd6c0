// Welford's sums.
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float mean = 0, squares = 0;
  int n = 0;
  for (float v : x) {
    const float before = v - mean;
    mean += before / ++n;
    squares += before * (v - mean);
  }
  return {mean, squares / n};
}
