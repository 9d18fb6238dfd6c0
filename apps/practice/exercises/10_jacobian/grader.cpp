#include <evenkeel/practice.h>

using namespace evenkeel;
using namespace evenkeel::practice;

Tensor jacobian_train(const std::vector<double>& x, double gamma, double eps);
Tensor jacobian_eval(const std::vector<double>& x, double running_var, double gamma, double eps);

namespace {

Tensor one(double v) { return Tensor::full({1}, v); }

Tensor column(const std::vector<double>& x) { return Tensor::of({static_cast<int64_t>(x.size()), 1}, x); }

Tensor train(const std::vector<double>& x, double gamma, double eps) {
  return jacobian([&](const Tensor& t) { return batch_norm(t, one(gamma), one(0), eps).y; }, column(x));
}

Tensor eval(const std::vector<double>& x, double var, double gamma, double eps) {
  return jacobian([&](const Tensor& t) { return batch_norm_inference(t, one(0.3), one(var), one(gamma), one(0), eps); },
                  column(x));
}

}  // namespace

void grade(Grade& g) {
  const std::vector<double> x{1, 2, 5, 9};
  const int64_t m = 4;

  g.law(
      "inference",
      "In inference y_i depends on x_i alone: J is diagonal, and an entry of the diagonal is the slope of the straight "
      "line from x_i to y_i.",
      "Tensor jacobian_eval");
  g.given("x", x);
  g.given("running_var, gamma, eps", {4, 1.5, 0.5});
  g.equal("J", eval(x, 4, 1.5, 0.5), jacobian_eval(x, 4, 1.5, 0.5));
  g.given("running_var, gamma, eps", {0.25, -2, 1e-5});
  g.equal("J", eval(x, 0.25, -2, 1e-5), jacobian_eval(x, 0.25, -2, 1e-5));

  const Tensor J = jacobian_train(x, 1, 0.5);
  g.law("not zero", "In training J has the shape (m, m), and is not zero.", "Tensor jacobian_train");
  g.given("x", x);
  g.holds(J.defined() && J.shape() == Shape{m, m}, "J has another shape.");
  g.holds(dot(J, J).item() > 0, "Every entry of J is 0.");

  g.law("shift", "In training a number added to all x changes nothing: each row of J sums to 0.",
        "Tensor jacobian_train");
  g.given("x", x);
  g.given("J", J);
  g.equal("sums of J's rows", Tensor::zeros({m}), sum_channels(J), 1e-12);

  const Tensor expected = train(x, 1, 0.5);
  g.law("scale",
        "Multiplying all x - mu by a number changes y only through eps: J xhat = (eps / s^3) xhat where gamma is 1. "
        "The variance in s divides by m, and eps is added to it.",
        "Tensor jacobian_train");
  const Tensor xhat = batch_norm(column(x), one(1), one(0), 0.5).y;
  g.given("x", x);
  g.given("xhat", reshape(xhat, {m}));
  g.equal("J xhat", reshape(matmul(expected, xhat), {m}), reshape(matmul(J, xhat), {m}));

  g.law("training", "In training every entry J_ij is dy_i / dx_j.", "Tensor jacobian_train");
  for (const double gamma : {1.0, -1.5})
    for (const double eps : {0.5, 1e-5}) {
      g.given("x", x);
      g.given("gamma, eps", {gamma, eps});
      g.equal("J", train(x, gamma, eps), jacobian_train(x, gamma, eps));
    }
  const std::vector<double> other{-1, 3, 0.5, 2, 2.5, -4};
  g.given("x", other);
  g.equal("J", train(other, 0.7, 0.1), jacobian_train(other, 0.7, 0.1));
}
