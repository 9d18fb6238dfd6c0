#include <evenkeel/practice.h>

using namespace evenkeel;
using namespace evenkeel::practice;

double active(double gamma, double beta);
double beta_for(double gamma, double fraction);

namespace {

double normal(double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); }

double counted(double gamma, double beta) {  // of 20,000 values, normalised by the library
  Random random(11);
  const Tensor z = Tensor::normal({20000, 1}, random, 3, 5);
  const Tensor y = relu(batch_norm(z, Tensor::full({1}, gamma), Tensor::full({1}, beta)).y);
  return sum(step(y)).item() / 20000;
}

}  // namespace

void grade(Grade& g) {
  g.law("half", "With beta = 0 half of the values are positive.", "double active");
  g.given("gamma, beta", {1, 0});
  g.equal("active", 0.5, active(1, 0));

  g.law("beta", "With gamma = 1 the fraction is Phi(beta): a larger beta keeps more values alive.", "double active");
  for (double beta : {-3.0, -1.0, -0.5, 0.5, 2.0}) {
    g.given("gamma, beta", {1, beta});
    g.equal("active", normal(beta), active(1, beta));
  }

  g.law("gamma", "gamma spreads the values: with a larger gamma the same beta moves fewer of them over 0.",
        "double active");
  for (double gamma : {2.0, 0.1, 5.0}) {
    g.given("gamma, beta", {gamma, 0.5});
    g.equal("active", normal(0.5 / gamma), active(gamma, 0.5));
  }

  g.law("sign", "z and -z are equally likely: the sign of gamma makes no difference.", "double active");
  g.given("gamma, beta", {-2, 0.5});
  g.equal("active", normal(0.25), active(-2, 0.5));

  g.law("count", "Of 20,000 normalised values 30 % are active with your beta, give or take 1.3 %.", "double beta_for");
  for (double gamma : {1.0, -1.5}) {
    g.given("gamma, beta", {gamma, beta_for(gamma, 0.3)});
    g.equal("counted", 0.3, counted(gamma, beta_for(gamma, 0.3)), 0.0433);  // four standard errors
  }

  g.law("inverse", "beta_for(gamma, fraction) is the beta with active(gamma, beta) = fraction.", "double beta_for");
  for (double gamma : {1.0, 2.0, -1.5, 0.1})
    for (double fraction : {0.3, 0.5, 0.9, 0.001, 0.9999}) {
      g.given("gamma, fraction", {gamma, fraction});
      const double beta = beta_for(gamma, fraction);
      g.given("your beta", beta);
      g.equal("active(gamma, beta)", fraction, normal(beta / std::abs(gamma)), 1e-7);
    }
}
