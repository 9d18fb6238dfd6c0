// caught by: mean
#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  float sum = 0, squares = 0;
  for (float v : x) sum += v;
  for (float v : x) squares += (v - sum) * (v - sum);
  return {sum, squares / x.size()};
}
