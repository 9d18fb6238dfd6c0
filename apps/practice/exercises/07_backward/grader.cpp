#include <evenkeel/practice.h>

struct Backward {
  double dbeta = 0, dgamma = 0;
  std::vector<double> dxhat;
  double dvar = 0, dmu = 0;
  std::vector<double> dx;
};
Backward backward(const std::vector<double>& x, double gamma, double eps, const std::vector<double>& g);

using namespace evenkeel;

// The library's derivatives, by each number of the graph.
Backward library(const std::vector<double>& x, double gamma, double eps, const std::vector<double>& g) {
  const Shape column{static_cast<int64_t>(x.size()), 1};
  const auto leaf = [](const Tensor& t) { return t.clone().track(); };
  const Tensor in = leaf(Tensor::of(column, x)), scale = leaf(Tensor::full({1}, gamma)),
               shift = leaf(Tensor::zeros({1}));
  const Tensor cotangent = Tensor::of(column, g);
  const auto gradient = [&](const Tensor& y, const Tensor& by) {
    return grad(y, {by}, {.cotangent = cotangent})[0].values();
  };
  const Tensor y = batch_norm(in, scale, shift, eps).y;
  // The same with mu, then var, as inputs of the graph.
  const Tensor mu = leaf(mean_rows(in.detach()));
  const auto centred = [&](const Tensor& m) { return in.detach() - spread_rows(m, column); };
  const Tensor var = leaf(mean_rows(square(centred(mu.detach()))));
  const auto normal = [&](const Tensor& m, const Tensor& v) {
    return centred(m) * spread_rows(rsqrt(v + eps), column);
  };
  Backward b;
  b.dbeta = gradient(y, shift)[0];
  b.dgamma = gradient(y, scale)[0];
  for (double v : g) b.dxhat.push_back(gamma * v);
  b.dvar = gamma * gradient(normal(mu.detach(), var), var)[0];
  b.dmu = gamma * gradient(normal(mu, mean_rows(square(centred(mu)))), mu)[0];
  b.dx = gradient(y, in);
  return b;
}

void grade(practice::Grade& grade) {
  Random random(7);
  std::vector<double> x, g;
  for (int i = 0; i < 5; ++i) {
    x.push_back(std::round(10 * random.normal() + 20) / 10);
    g.push_back(std::round(10 * random.normal()) / 10 + 0.0);
  }
  const double gamma = 1.5, eps = 0.1;
  const Backward right = library(x, gamma, eps, g), found = backward(x, gamma, eps, g);
  const auto law = [&](const std::string& name, const std::string& sentence, const std::string& look = "") {
    grade.law(name, sentence, look);
    grade.given("x", x);
    grade.given("g", g);
    grade.given("gamma, eps", {gamma, eps});
  };
  law("dbeta", "beta is added to every output: dbeta is the sum of all g.", "dbeta +");
  grade.equal("dbeta", right.dbeta, found.dbeta);
  law("dgamma",
      "gamma multiplies xhat: dgamma is the sum of all g_i xhat_i, with the s of the forward pass: var divides by m, "
      "and "
      "eps is added to it.",
      "dgamma +");
  grade.equal("dgamma", right.dgamma, found.dgamma);
  law("dxhat", "y_i = gamma xhat_i + beta: dxhat_i is gamma g_i.", "dxhat[");
  grade.equal("dxhat", right.dxhat, found.dxhat);
  law("dvar", "var is in every xhat_i: dvar is the sum of dxhat_i times d xhat_i / d var.", "dvar +");
  grade.equal("dvar", right.dvar, found.dvar);
  law("dmu", "mu is in every xhat_i: dmu is the sum of dxhat_i times d xhat_i / d mu. (Through var it has no part.)",
      "dmu +");
  grade.equal("dmu", right.dmu, found.dmu);
  law("dx", "x_i is in xhat_i, in var and in mu: dx_i has three terms. It needs the whole sums dvar and dmu.", "dx[");
  grade.equal("dx", right.dx, found.dx);

  grade.law("steps",
            "For any m, and also for a negative gamma: moving all x a little along a direction d changes the sum of "
            "g_i y_i by the sum of dx_i d_i.");
  std::vector<double> longer, above, d;
  for (int i = 0; i < 9; ++i) {
    longer.push_back(random.normal());
    above.push_back(random.normal());
    d.push_back(random.normal());
  }
  grade.given("m", 9);
  grade.given("gamma, eps", {-2, 1e-5});
  const auto moved = [&](double h) {
    Tensor in = Tensor::of({9, 1}, longer) + Tensor::of({9, 1}, d) * h;
    const Tensor y = batch_norm(in, Tensor::full({1}, -2), Tensor::zeros({1}), 1e-5).y;
    return dot(y, Tensor::of({9, 1}, above)).item();
  };
  const std::vector<double> dx = backward(longer, -2, 1e-5, above).dx;
  grade.equal("change by the step", (moved(1e-5) - moved(-1e-5)) / 2e-5,
              std::inner_product(dx.begin(), dx.end(), d.begin(), 0.0), 1e-7);
}
