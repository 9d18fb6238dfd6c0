#include <evenkeel/practice.h>

struct Normalised {
  std::vector<double> xhat;
  double running_variance;  // kept for inference
};
Normalised normalise_batch(const std::vector<double>& x, double eps);

double mean_square(const std::vector<double>& xhat) {
  double sum = 0;
  for (double v : xhat) sum += v * v;
  return sum / static_cast<double>(xhat.size());
}

void grade(evenkeel::practice::Grade& g) {
  g.law("two values", "Of two values the smaller one becomes -1 and the larger one 1, whatever they are.");
  g.given("x", {1, 3});
  g.given("eps", 1e-12);
  g.equal("xhat", {-1, 1}, normalise_batch({1, 3}, 1e-12).xhat);

  g.law("variance",
        "The mean of the squares of xhat is variance / (variance + eps), with the variance that divides by m.");
  g.given("x", {1, 2, 3, 4});  // variance 1.25
  g.given("eps", 0.75);
  g.equal("mean square of xhat", 1.25 / 2, mean_square(normalise_batch({1, 2, 3, 4}, 0.75).xhat));

  g.law("kept", "The variance that this program keeps for inference divides by m - 1, and has no eps in it.",
        "running_variance =");
  g.given("x", {1, 2, 3, 4});
  g.given("eps", 0.75);
  g.equal("running_variance", 5.0 / 3, normalise_batch({1, 2, 3, 4}, 0.75).running_variance);
}
