#include <evenkeel/practice.h>

std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g);

using namespace evenkeel;

void grade(practice::Grade& grade) {
  Random random(8);
  const double gamma = 1.5, eps = 0.5;
  std::vector<double> x, g, h;
  for (int i = 0; i < 5; ++i) {
    x.push_back(std::round(10 * random.normal() + 20) / 10);
    g.push_back(std::round(10 * random.normal()) / 10 + 0.0);
    h.push_back(std::round(10 * random.normal()) / 10 + 0.0);
  }
  double mean = 0, variance = 0;
  for (double v : x) mean += v / 5;
  for (double v : x) variance += (v - mean) * (v - mean) / 5;
  const double s = std::sqrt(variance + eps);
  std::vector<double> xhat;
  for (double v : x) xhat.push_back((v - mean) / s);
  const auto law = [&](const std::string& name, const std::string& sentence, const std::vector<double>& above) {
    grade.law(name, sentence);
    grade.given("xhat", xhat);
    grade.given("s, gamma", {s, gamma});
    grade.given("g", above);
  };
  const auto backward = [&](const std::vector<double>& above) { return backward_in_one_line(xhat, s, gamma, above); };
  const auto product = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };

  law("sum", "The sum of dx is 0: moving all x together changes no output.", g);
  const std::vector<double> dx = backward(g), ones(5, 1.0);
  grade.equal("number of gradients", 5, static_cast<double>(dx.size()));
  grade.equal("sum of dx", 0, product(dx, ones));

  law("along xhat",
      "For g = xhat the gradient is gamma eps / s^3 times xhat: small, for scaling all x hardly changes "
      "an output. Here eps is 0.5.",
      xhat);
  std::vector<double> along;
  for (double v : xhat) along.push_back(gamma * eps / (s * s * s) * v);
  grade.equal("dx", along, backward(xhat));

  law("values", "dx is the gradient of the sum of all g_i y_i.", g);
  const Tensor in = Tensor::of({5, 1}, x).track();
  const Tensor y = batch_norm(in, Tensor::full({1}, gamma), Tensor::zeros({1}), eps).y;
  grade.equal("dx", grad(y, {in}, {.cotangent = Tensor::of({5, 1}, g)})[0].values(), dx);

  law("symmetric", "The Jacobian is symmetric: g times dx(h) is h times dx(g).", g);
  grade.given("h", h);
  grade.equal("h times dx(g)", product(g, backward(h)), product(h, backward(g)));
}
