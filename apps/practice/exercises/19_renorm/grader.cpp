#include <evenkeel/practice.h>

using namespace evenkeel;
using evenkeel::practice::Matrix;

Tensor batch_renorm(const Tensor& x, const Tensor& mean, const Tensor& sigma, const Tensor& gamma, const Tensor& beta,
                    double eps, double r_max, double d_max);

void grade(evenkeel::practice::Grade& g) {
  constexpr double eps = 0.1, far = 1e6;
  Random random(19);
  const Tensor x = Tensor::normal({4, 2}, random, 1, 2), c = Tensor::normal({4, 2}, random);
  const Tensor mean = Tensor::of({2}, {0.5, 2}), sigma = Tensor::of({2}, {1.5, 3});
  const Tensor gamma = Tensor::of({2}, {2, -0.5}), beta = Tensor::of({2}, {1, 3});
  const Normalized batch = batch_norm(x, gamma, beta, eps);
  const Tensor sigma_B = sqrt(batch.var + eps), r = sigma_B / sigma, d = (batch.mean - mean) / sigma;
  const auto show = [&] {
    g.given("x", x);
    g.given("batch's mean", batch.mean);
    g.given("sigma_B", sigma_B);
    g.given("running mean", mean);
    g.given("sigma", sigma);
  };
  g.law("inference", "Without limits the output is what inference computes: gamma (x - mean) / sigma + beta.");
  show();
  g.given("gamma", gamma);
  g.given("beta", beta);
  g.equal("y", batch_norm_inference(x, mean, square(sigma), gamma, beta, 0),
          batch_renorm(x, mean, sigma, gamma, beta, eps, far, far));

  g.law("gradient",
        "No gradient flows through r and d: they are constants. It does flow through the batch's mean and sigma_B in "
        "xhat.");
  show();
  const auto gradients = [&](const std::function<Tensor(const std::vector<Tensor>&)>& f) {
    const std::vector<Tensor> at{x.clone().track(), gamma.clone().track(), beta.clone().track()};
    return grad(f(at), at, {.cotangent = c});
  };
  const Grads expected =
      gradients([&](const std::vector<Tensor>& in) { return batch_norm(in[0], in[1] * r, in[1] * d + in[2], eps).y; });
  const Grads found = gradients(
      [&](const std::vector<Tensor>& in) { return batch_renorm(in[0], mean, sigma, in[1], in[2], eps, far, far); });
  g.given("r", r);
  g.given("d", d);
  g.given("gradient of y", c);
  g.equal("gradient of x", expected[0], found[0]);
  g.equal("gradient of gamma", expected[1], found[1]);
  g.equal("gradient of beta", expected[2], found[2]);

  g.law("plain", "With r_max = 1 and d_max = 0 it is batch normalisation: r is 1, and d is 0.");
  show();
  g.equal("y", batch.y, batch_renorm(x, mean, sigma, gamma, beta, eps, 1, 0));

  g.law("limits", "r stays between 1 / r_max and r_max, and d between -d_max and d_max.");
  show();
  for (const Tensor& s : {sigma, 4 * sigma, 0.1 * sigma})
    for (const Tensor& m : {mean, mean + 9, mean - 9}) {
      const Tensor limited_r = clamp(sigma_B / s, 0.5, 2), limited_d = clamp((batch.mean - m) / s, -0.7, 0.7);
      g.given("running mean", m);
      g.given("sigma", s);
      g.given("r_max, d_max", {2, 0.7});
      g.given("r", limited_r);
      g.given("d", limited_d);
      g.equal("y", batch_norm(x, gamma * limited_r, gamma * limited_d + beta, eps).y,
              batch_renorm(x, m, s, gamma, beta, eps, 2, 0.7));
    }
}
