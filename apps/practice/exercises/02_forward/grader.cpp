#include <evenkeel/practice.h>

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps);

using namespace evenkeel;

double mean_of(const std::vector<double>& y) {
  double sum = 0;
  for (double v : y) sum += v;
  return sum / static_cast<double>(y.size());
}

// Five values around `mean`, of deviation `sigma`.
std::vector<double> values_of(double mean, double sigma) {
  std::vector<double> x;
  for (double v : {-1.0, 1.0, 0.0, -2.0, 2.0}) x.push_back(mean + sigma * v / std::sqrt(2.0));
  return x;
}

std::vector<double> library(const std::vector<double>& x, double gamma, double beta, double eps) {
  const Tensor column = Tensor::of({static_cast<int64_t>(x.size()), 1}, x);
  return batch_norm(column, Tensor::full({1}, gamma), Tensor::full({1}, beta), eps).y.values();
}

void compare(practice::Grade& g, double mean, double sigma, double gamma, double beta, double eps) {
  const std::vector<double> x = values_of(mean, sigma);
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

  g.law("scale", "The outputs are the distances from the mean, divided by the root of variance plus eps, times gamma.",
        "sqrt");
  compare(g, 5, 3, 2, 3, 1e-12);

  g.law("small variance", "eps is added to the variance, inside the root. Where the variance is small, that matters.",
        "sqrt");
  compare(g, 0, 1e-3, 1, 0, 1e-5);

  g.law("large variance", "Where the variance is large, eps does not matter.");
  compare(g, -2000, 1e3, 1, 0, 1e-5);

  g.law("constant", "A feature that has the same value everywhere gives beta everywhere: eps keeps the root from 0.",
        "sqrt");
  g.given("x", {7, 7, 7});
  g.given("gamma, beta, eps", {2, 3, 1e-5});
  g.equal("y", {3, 3, 3}, normalise({7, 7, 7}, 2, 3, 1e-5));
}
