#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  return {0, 0};  // write this
}
