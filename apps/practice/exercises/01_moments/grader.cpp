#include <evenkeel/practice.h>

struct MeanAndVariance {
  float mean, variance;
};
MeanAndVariance mean_and_variance(const std::vector<float>& x);

void grade(evenkeel::practice::Grade& g) {
  g.law("mean", "The mean is the sum of the values, divided by their number.");
  g.given("x", {1, 2, 3, 4});
  g.equal("mean", 2.5, mean_and_variance({1, 2, 3, 4}).mean, 1e-6);
  g.given("x", {0.5, 1, 2.5, 4.5});
  g.equal("mean", 2.125, mean_and_variance({0.5, 1, 2.5, 4.5}).mean, 1e-6);

  g.law("variance", "The variance is the mean of the squared distances from the mean. It divides by m.");
  g.given("x", {1, 2, 3, 4});
  g.equal("variance", 1.25, mean_and_variance({1, 2, 3, 4}).variance, 1e-6);

  g.law("one value", "One value alone is its own mean, and has the variance 0.");
  g.given("x", {7});
  g.equal("mean, variance", {7, 0}, {mean_and_variance({7}).mean, mean_and_variance({7}).variance}, 1e-6);

  g.law("large mean", "Adding 10000 to all values adds 10000 to the mean, and leaves the variance as it is.");
  g.given("x", {10001, 10002, 10003, 10004});
  const MeanAndVariance four = mean_and_variance({10001, 10002, 10003, 10004});
  g.equal("mean", 10002.5, four.mean, 1e-6);
  g.equal("variance", 1.25, four.variance, 1e-2);
  std::vector<float> x;
  for (int i = 0; i < 64; ++i) x.push_back(10000 + static_cast<float>((i * 37) % 64 - 32) / 16);
  double mean = 0, variance = 0;
  for (float v : x) mean += v / 64;
  for (float v : x) variance += (v - mean) * (v - mean) / 64;
  g.given("x", std::vector<double>(x.begin(), x.end()));
  const MeanAndVariance found = mean_and_variance(x);
  g.equal("mean", mean, found.mean, 1e-5);
  g.equal("variance", variance, found.variance, 1e-3);
}
