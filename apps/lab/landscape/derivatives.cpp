// The second to fourth derivatives of batch normalisation: claims A4.5, A4.6 and A4.8.
#include "apps/lab/landscape/feature.h"
#include "optim/curvature/eigenvalue.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double eps = 0.01;
  int64_t batch = 8;
  static void each(auto& o, auto&& option) {
    option("eps", o.eps, Range{0, 1}, "what is added to the variance under the root");
    option("batch", o.batch, Range{4, 32}, "examples in the batch");
  }
};

// The directional derivatives of order 1 to 4 of <c, f(x)> along v.
std::vector<double> directional(const std::function<Tensor(const Tensor&)>& f, const Tensor& at, const Tensor& c,
                                const Tensor& v) {
  const Tensor x = at.clone().track();
  std::vector<double> orders;
  Tensor along = dot(f(x), c);
  for (int order = 1; order <= 4; ++order) {
    along = dot(grad(along, {x}, {.differentiable = true})[0], v);
    orders.push_back(along.item());
  }
  return orders;
}

// The same without differentiation: on the line x + t v the mean is linear in t and the variance is a parabola, so xhat
// is a linear function over the root of a parabola, with Taylor coefficients by a recursion.
std::vector<double> taylor(const Feature& b, const Tensor& c, const Tensor& v) {
  const Tensor p = b.x - mean(b.x).item(), q = v - mean(v).item();
  const double a0 = b.var + b.eps, a1 = 2 * mean(p * q).item(), a2 = mean(q * q).item();
  // r = (a0 + a1 t + a2 t^2)^(-1/2) solves (a0 + a1 t + a2 t^2) r' = -(a1/2 + a2 t) r.
  std::vector<double> r{1 / std::sqrt(a0)};
  for (int n = 0; n < 4; ++n) {
    const double k = n, before = n ? r[static_cast<size_t>(n - 1)] : 0;
    r.push_back(-((k + .5) * a1 * r[static_cast<size_t>(n)] + k * a2 * before) / ((k + 1) * a0));
  }
  const double along_p = dot(p, c).item() * b.gamma, along_q = dot(q, c).item() * b.gamma;
  std::vector<double> orders;
  double factorial = 1;
  for (size_t n = 1; n <= 4; ++n) {
    factorial *= static_cast<double>(n);
    orders.push_back(factorial * (along_p * r[n] + along_q * r[n - 1]));
  }
  return orders;
}

void run(Lab& lab, const Parameters& p) {
  Random random(4);
  const int64_t m = p.batch;
  const Feature b(Tensor::normal({m, 1}, random, 1, 1.5), p.eps);
  const Tensor c = Tensor::normal({m, 1}, random), v = Tensor::normal({m, 1}, random), x = b.x.clone().track();

  // xhat = m grad s: batch norm is a gradient field, so all its derivatives are symmetric; the second one in closed
  // form.
  const Tensor s = sqrt(mean(square(x - spread(mean(x), x.shape()))) + b.eps);
  lab.same("A4.5", "xhat = m times the gradient of s(x)", b.xhat, grad(s, {x})[0].detach() * b.m, 1e-13);
  Tensor closed = Tensor::empty({m, m, m}), second = Tensor::empty({m, m, m});
  for (int64_t i = 0; i < m; ++i) {
    Tensor e = Tensor::zeros({m, 1});
    e.mutable_data()[i] = 1;
    const Tensor rows = jacobian(
        [&](const Tensor& t) { return grad(b.norm(t), {t}, {.differentiable = true, .cotangent = e})[0]; }, b.x);
    for (int64_t j = 0; j < m; ++j)
      for (int64_t k = 0; k < m; ++k) {
        second.mutable_data()[(i * m + j) * m + k] = rows.data()[j * m + k];
        const double pairs = b.h(i) * b.projection(j, k) + b.h(j) * b.projection(i, k) + b.h(k) * b.projection(i, j);
        closed.mutable_data()[(i * m + j) * m + k] =
            -b.gamma / (b.m * b.s * b.s) * (pairs - 3 / b.m * b.h(i) * b.h(j) * b.h(k));
      }
  }
  lab.same("A4.6",
           "all $m^3$ second derivatives: $- gamma / (m s^2) (xhat_i P_jk + xhat_j P_ik + xhat_k P_ij - 3/m xhat_i "
           "xhat_j xhat_k)$",
           closed, second, 1e-13);
  double largest = 0;
  for (double d : second.values()) largest = std::max(largest, std::abs(d));
  lab.observed("A4.6", "the largest second derivative, by its size", "", {largest});

  // The fused op, the three steps written out, and a power series that was never differentiated.
  const std::vector<double> fused = directional([&](const Tensor&t) { return b.norm(t); }, b.x, c, v),
                            series = taylor(b, c, v);
  const std::vector<double> steps = directional(
      [&](const Tensor& t) { return batch_norm_definition(t, ones(1) * b.gamma, zeros(1), b.eps); }, b.x, c, v);
  for (size_t i = 0; i < 4; ++i) {
    lab.equal("A4.8",
              fmt::format("derivative of order {} along a direction: that of the three steps, written out", i + 1),
              steps[i], fused[i], 1e-12);
    lab.equal("A4.8", "the same from the power series of a root of a parabola", series[i], fused[i], 1e-11);
  }

  // A backward pass that keeps 1/s as a constant: right in first order, wrong from the second on.
  const auto captured = [&](const Tensor& t) {
    return record(b.norm(t.detach()), {t}, [&b](const Tensor& y, const Tensor& g) {
      const Tensor h = y / b.gamma, centred = g - spread(mean(g), g.shape());
      return Grads{(centred - h * spread(mean(g * h), g.shape())) * (b.gamma / b.s)};
    });
  };
  const std::vector<double> wrong = directional(captured, b.x, c, v);
  lab.equal("A4.8", "$1/s$ captured as a constant: the first derivative is right", fused[0], wrong[0], 1e-12);
  lab.between("A4.8", "and the second is off, relatively, by", .01, INFINITY, {std::abs(wrong[1] / fused[1] - 1)});

  // The output's path along v, and its Taylor polynomials.
  const std::vector<double> t = grid(-1, 1, 61);
  const auto path = [&](double at) { return dot(b.norm(b.x + v * at), c).item(); };
  const auto polynomial = [&](size_t order) {
    return [&, order](double at) {
      double sum = path(0), term = 1;
      for (size_t n = 1; n <= order; ++n) sum += (term *= at / static_cast<double>(n)) * fused[n - 1];
      return sum;
    };
  };
  lab.figure(
      {{.title = "An output along a direction",
        .x_label = "t: the batch is x + t v",
        .y_label = "<c, y>",
        .series = {curve("measured", t, path, 1), curve("by derivatives up to order 1", t, polynomial(1), 7, true),
                   curve("up to order 2", t, polynomial(2), 2, true),
                   curve("up to order 4", t, polynomial(4), 0, true)}}},
      {.shows = "A batch moves along a straight line (horizontal, in multiples of a random direction); "
                "vertically a fixed "
                "combination of its normalised values (no unit), and the Taylor polynomials that the derivatives at t "
                "= 0 give.",
       .predicted = "If the derivatives of every order are right, each higher polynomial follows the curve longer.",
       .seen = fmt::format(
           "At t = 0.3 the polynomial of order 1 is off by {:.2g}, of order 2 by {:.2g}, of order 4 by {:.2g}.",
           std::abs(polynomial(1)(.3) - path(.3)), std::abs(polynomial(2)(.3) - path(.3)),
           std::abs(polynomial(4)(.3) - path(.3)))});
}

}  // namespace

extern const Experiment derivatives{
    "derivatives",
    "Smoothing the landscape",
    "Are the higher derivatives right too?",
    "Yes, up to the fourth order; a backward pass that takes 1/s for a constant is wrong from the second on.",
    "The second derivative is a symmetric closed form; those of order 3 and 4 equal the derivatives of the three steps "
    "written out, and of a power series without differentiation. A backward pass that keeps 1/s as a constant passes "
    "every "
    "first-order test and is wrong from the second on.",
    run,
    {"Take a batch of 32: are the second derivatives still as large?", "batch=32", "the largest second derivative", 0.1,
     0.22, "No: 0.17 instead of 0.29. A larger batch makes each output depend less on any two of its inputs, as 1/m."}};

}  // namespace evenkeel::lab
