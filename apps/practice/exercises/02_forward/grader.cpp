#include <evenkeel/practice.h>

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps);

using namespace evenkeel;

double mean_of(const std::vector<double>& y) {
  double sum = 0;
  for (double v : y) sum += v;
  return sum / static_cast<double>(y.size());
}

// Five values around `mean`, of deviation sqrt(2) `step`; or seven, of deviation `sigma`.
std::vector<double> five(double mean, double step) {
  std::vector<double> x;
  for (double v : {-1.0, 1.0, 0.0, -2.0, 2.0}) x.push_back(mean + step * v);
  return x;
}
std::vector<double> seven(double mean, double sigma) {
  std::vector<double> x;
  for (double v : {3.0, -1.0, 0.0, 2.0, -3.0, 1.0, -2.0}) x.push_back(mean + sigma * v / 2);
  return x;
}

std::vector<double> library(const std::vector<double>& x, double gamma, double beta, double eps) {
  const Tensor column = Tensor::of({static_cast<int64_t>(x.size()), 1}, x);
  return batch_norm(column, Tensor::full({1}, gamma), Tensor::full({1}, beta), eps).y.values();
}

void compare(practice::Grade& g, const std::vector<double>& x, double gamma, double beta, double eps) {
  g.given("x", x);
  g.given("gamma, beta, eps", {gamma, beta, eps});
  g.equal("y", library(x, gamma, beta, eps), normalise(x, gamma, beta, eps), 1e-7);
}

void grade(practice::Grade& g) {
  g.law("mean", "The mean of the outputs is beta, whatever gamma is: xhat has the mean 0.");
  g.given("x", {1, 2, 3, 4});
  g.given("gamma, beta, eps", {2, 3, 1e-5});
  const std::vector<double> y = normalise({1, 2, 3, 4}, 2, 3, 1e-5);
  g.equal("number of outputs", 4, static_cast<double>(y.size()));
  g.equal("mean of y", 3, mean_of(y));

  // In the next three laws the variance is so large that no eps matters.
  g.law("scale",
        "The outputs are the distances from the mean, divided by the root of the variance, times gamma. The variance "
        "divides by m.",
        "sqrt");
  compare(g, five(5, 1000), 2, 3, 1e-5);

  g.law("sign", "gamma may be negative: then the largest x gives the smallest y.", "push_back");
  compare(g, five(5, 1000), -2, 3, 1e-5);

  g.law("number", "Mean and variance divide by m, the number of values, whatever it is.");
  compare(g, seven(5, 1000), 2, 3, 1e-5);

  g.law("small variance",
        "The argument eps is added to the variance, inside the root. Where the variance is small, that matters.",
        "sqrt");
  for (double eps : {1e-5, 1e-3}) compare(g, five(0, 1e-3), 1, 0, eps);

  g.law("constant", "A feature that has the same value everywhere gives beta everywhere: eps keeps the root from 0.",
        "sqrt");
  g.given("x", {7, 7, 7});
  g.given("gamma, beta, eps", {2, 3, 1e-5});
  g.equal("y", {3, 3, 3}, normalise({7, 7, 7}, 2, 3, 1e-5));

  g.law("large mean",
        "It is right for features of any size: also if the mean is large and the variance small, as in exercise 01.");
  const double mean = 1e6, sigma = 1e-2;
  const std::vector<double> large = seven(mean, sigma);
  std::vector<double> from_mean;
  for (double v : large) from_mean.push_back(v - mean);
  g.given("x - 1000000", from_mean);
  g.given("gamma, beta, eps", {-2, 0, 1e-12});
  // A sum of m values, and so their mean, is right to m roundings of the mean: in y each counts gamma / sigma. The
  // largest y is larger than gamma. The factor two is for the library's own roundings.
  const double rounding = std::numeric_limits<double>::epsilon() / 2;
  g.equal("y", library(large, -2, 0, 1e-12), normalise(large, -2, 0, 1e-12), 2 * 7 * rounding * mean / sigma);
}
