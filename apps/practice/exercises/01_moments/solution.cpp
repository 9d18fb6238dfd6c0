#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};

MeanAndVariance mean_and_variance(const std::vector<float>& x) {
  const float m = static_cast<float>(x.size());
  float sum = 0;
  for (float v : x) sum += v;
  const float mean = sum / m;
  float squares = 0;
  for (float v : x) squares += (v - mean) * (v - mean);
  return {mean, squares / m};
}
