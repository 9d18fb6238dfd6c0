#include <evenkeel/practice.h>

std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g);

using namespace evenkeel;

// A batch of m, as the forward pass leaves it, and a gradient from above.
struct Pass {
  Pass(int64_t m, double gamma_, double eps_, Random& random) : gamma(gamma_), eps(eps_) {
    for (int64_t i = 0; i < m; ++i) {
      x.push_back(std::round(10 * random.normal() + 20) / 10);
      g.push_back(std::round(10 * random.normal()) / 10 + 0.0);
    }
    const double n = static_cast<double>(m);
    double mean = 0, variance = 0;
    for (double v : x) mean += v / n;
    for (double v : x) variance += (v - mean) * (v - mean) / n;
    s = std::sqrt(variance + eps);
    for (double v : x) xhat.push_back((v - mean) / s);
  }
  std::vector<double> dx(const std::vector<double>& above) const { return backward_in_one_line(xhat, s, gamma, above); }
  std::vector<double> library() const {
    const Shape column{static_cast<int64_t>(x.size()), 1};
    const Tensor in = Tensor::of(column, x).track();
    const Tensor y = batch_norm(in, Tensor::full({1}, gamma), Tensor::zeros({1}), eps).y;
    return grad(y, {in}, {.cotangent = Tensor::of(column, g)})[0].values();
  }
  double gamma, eps, s = 0;
  std::vector<double> x, g, xhat;
};

void grade(practice::Grade& grade) {
  Random random(28);
  const Pass b(5, 1.5, 0.5, random), other(9, -2, 1e-3, random);
  const auto law = [&](const std::string& name, const std::string& sentence, const Pass& of,
                       const std::vector<double>& above) {
    grade.law(name, sentence);
    grade.given("xhat", of.xhat);
    grade.given("s, gamma", {of.s, of.gamma});
    grade.given("g", above);
  };

  law("sum", "The sum of dx is 0: moving all x together changes no output.", b, b.g);
  const std::vector<double> dx = b.dx(b.g);
  grade.equal("number of gradients", 5, static_cast<double>(dx.size()));
  grade.equal("sum of dx", 0, std::accumulate(dx.begin(), dx.end(), 0.0));

  law("along xhat",
      "For g = xhat the gradient is gamma eps / s^3 times xhat: small, for scaling all x hardly changes "
      "an output. Here eps is 0.5.",
      b, b.xhat);
  std::vector<double> along;
  for (double v : b.xhat) along.push_back(b.gamma * b.eps / (b.s * b.s * b.s) * v);
  grade.equal("dx", along, b.dx(b.xhat));

  law("values", "dx is the gradient of the sum of all g_i y_i.", b, b.g);
  grade.equal("dx", b.library(), dx);

  law("another batch", "The same holds for any number of examples, and for a negative gamma.", other, other.g);
  grade.equal("dx", other.library(), other.dx(other.g));
}
