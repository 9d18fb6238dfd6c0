// The Jacobian of batch normalisation, dense in training and diagonal in inference, and what follows: claims A4.1 to A4.8.
#include "apps/lab/lab.h"
#include "core/normalize.h"
#include "core/reduce.h"
#include "layers/batch_norm.h"
#include "optim/curvature.h"

namespace evenkeel::lab {
namespace {

constexpr double eps = 1e-2, gamma = 1.7;

Tensor standardise(const Tensor& x) { return batch_norm(x, Tensor::full({1}, gamma), Tensor::zeros({1}), {.eps = eps}).y; }

// The closed forms, for one feature.
struct Batch {
  explicit Batch(const Tensor& values) : x(values), m(static_cast<double>(values.size())) {
    const double mu = mean(x).item();
    var = mean(square(x - mu)).item();
    s = std::sqrt(var + eps);
    xhat = (x - mu) / s;
  }
  double projection(int64_t i, int64_t j) const { return (i == j) - 1 / m; }  // P = I - 11' / m
  double h(int64_t i) const { return xhat.data()[i]; }
  Tensor jacobian() const {
    const int64_t n = x.size();
    Tensor J = Tensor::empty({n, n});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) J.data()[i * n + j] = gamma / s * (projection(i, j) - h(i) * h(j) / m);
    return J;
  }
  Tensor x, xhat;
  double m, var = 0, s = 0;
};

// The directional derivatives of order 1 to 4 of <c, f(x)> along v.
template <class F>
std::vector<double> directional(F f, const Tensor& at, const Tensor& c, const Tensor& v) {
  const Tensor x = at.clone().track();
  std::vector<double> orders;
  Tensor along = dot(f(x), c);
  for (int order = 1; order <= 4; ++order) {
    along = dot(grad(along, {x}, {.differentiable = true})[0], v);
    orders.push_back(along.item());
  }
  return orders;
}

void run(Lab& lab) {
  Random random(4);
  const int64_t m = 8;
  const Batch b(Tensor::normal({m, 1}, random, 1, 1.5));
  const Tensor J = jacobian(standardise, b.x), ones = Tensor::full({m, 1}, 1), g = Tensor::normal({m, 1}, random);
  lab.same("A4.1", "training: J = gamma/s (P - xhat xhat' / m)", b.jacobian(), J, 1e-13);
  lab.same("A4.2", "symmetric: J v = J' v", matmul(J, g), matmul(J, g, true), 1e-13);
  lab.same("A4.2", "J 1 = 0: rows sum to nothing", Tensor::zeros({m, 1}), matmul(J, ones), 1e-13);
  lab.same("A4.2", "J xhat = gamma eps / s^3 xhat", b.xhat * (gamma * eps / (b.s * b.s * b.s)), matmul(J, b.xhat), 1e-13);
  // Any third direction is an eigenvector with gamma / s.
  const Tensor third = g - mean(g).item() - b.xhat * (dot(g - mean(g).item(), b.xhat).item() / dot(b.xhat, b.xhat).item());
  lab.same("A4.2", "J v = gamma / s v on everything orthogonal to 1 and xhat", third * (gamma / b.s), matmul(J, third), 1e-13);
  double trace = 0;
  for (int64_t i = 0; i < m; ++i) trace += J.data()[i * m + i];
  lab.equal("A4.2", "trace = gamma/s (m - 1 - sigma^2 / s^2)", gamma / b.s * (m - 1 - b.var / (b.s * b.s)), trace, 1e-13);
  const Tensor x = b.x.clone().track(), dx = grad(standardise(x), {x}, {.cotangent = g})[0].detach();
  lab.same("A4.3", "dx = gamma/s (g - mean g - xhat mean(g xhat))", (g - mean(g).item() - b.xhat * mean(g * b.xhat).item()) * (gamma / b.s), dx, 1e-13);
  lab.equal("A4.3", "dx sums to 0", 0, sum(dx).item(), 1e-13);

  BatchNorm layer(1, {.eps = eps});
  *layer.gamma.data() = gamma;
  layer.forward(b.x, Mode::train);
  const auto in = [&](Mode mode) { return jacobian([&, mode](const Tensor& t) { return layer.forward(t, mode); }, b.x); };
  const double running = gamma / std::sqrt(b.var * m / (m - 1.0) + eps);
  const Tensor diagonal = jacobian([=](const Tensor& t) { return t * running; }, b.x), inference = in(Mode::eval);
  lab.same("A4.1", "the layer in training mode has the same J", J, in(Mode::probe), 1e-13);
  lab.same("A4.4", "inference: J = gamma / sqrt(running variance + eps) on the diagonal", diagonal, inference, 1e-13);
  double beside = 0;
  for (int64_t i = 0; i < m * m; ++i) beside += i % (m + 1) ? std::abs(inference.data()[i]) : 0;
  lab.equal("A4.4", "inference: the sum of all that stands beside it", 0, beside, 0);

  // xhat = m grad s: batch norm is a gradient field, so all its derivatives are symmetric; the second one in closed form.
  const Tensor s = sqrt(mean(square(x - spread(mean(x), x.shape()))) + eps);
  lab.same("A4.5", "xhat = m times the gradient of s(x)", b.xhat, grad(s, {x})[0].detach() * static_cast<double>(m), 1e-13);
  Tensor closed = Tensor::empty({m, m, m}), second = Tensor::empty({m, m, m});
  for (int64_t i = 0; i < m; ++i) {
    Tensor e = Tensor::zeros({m, 1});
    e.data()[i] = 1;
    const Tensor rows = jacobian([&](const Tensor& t) { return grad(standardise(t), {t}, {.differentiable = true, .cotangent = e})[0]; }, b.x);
    for (int64_t j = 0; j < m; ++j)
      for (int64_t k = 0; k < m; ++k) {
        second.data()[(i * m + j) * m + k] = rows.data()[j * m + k];
        closed.data()[(i * m + j) * m + k] = -gamma / (b.m * b.s * b.s) * (b.h(i) * b.projection(j, k) + b.h(j) * b.projection(i, k) + b.h(k) * b.projection(i, j) - 3 / b.m * b.h(i) * b.h(j) * b.h(k));
      }
  }
  lab.same("A4.6", "second derivative, all m^3 numbers, against the closed form", closed, second, 1e-13);
  const Tensor exact = Tensor::normal({m, 1}, random), de = exact.clone().track();
  const double m1 = mean(exact).item(), v0 = mean(square(exact - m1)).item(), gh = dot(g, exact - m1).item() / std::sqrt(v0);
  const Tensor d0 = grad(batch_norm(de, Tensor::full({1}, gamma), Tensor::zeros({1}), {.eps = 0}).y, {de}, {.cotangent = g})[0].detach();
  lab.equal("A4.7", "|dx|^2 = gamma^2/sigma^2 (|g|^2 - <1,g>^2/m - <xhat,g>^2/m), eps = 0", gamma * gamma / v0 * (dot(g, g).item() - std::pow(sum(g).item(), 2) / b.m - gh * gh / b.m), dot(d0, d0).item(), 1e-12);

  // The fused op against the three steps written out, to the fourth order, and against finite differences of the third.
  const Tensor v = Tensor::normal({m, 1}, random);
  const std::vector<double> fused = directional(standardise, b.x, g, v);
  const std::vector<double> plain = directional([](const Tensor& t) { return batch_norm_definition(t, Tensor::full({1}, gamma), Tensor::zeros({1}), {.eps = eps}); }, b.x, g, v);
  for (size_t i = 0; i < 4; ++i) lab.equal("A4.8", fmt::format("derivative of order {} along a direction: the composed definition's", i + 1), plain[i], fused[i], 1e-12);
  const double h = 1e-4, difference = (directional(standardise, b.x + v * h, g, v)[2] - directional(standardise, b.x - v * h, g, v)[2]) / (2 * h);
  lab.equal("A4.8", "order 4 as a finite difference of order 3", difference, fused[3], 1e-5);

  Chart train{.title = "One example moves them all", .x_label = "example i of the batch", .y_label = "dy_i / dx_4", .series = {}};
  const std::vector<double> index = grid(1, static_cast<double>(m), static_cast<int>(m));
  train.series = {curve("predicted, training", index, [&](double i) { return b.jacobian().data()[(static_cast<int64_t>(i) - 1) * m + 3]; }, 0, true),
                  curve("measured, training", index, [&](double i) { return J.data()[(static_cast<int64_t>(i) - 1) * m + 3]; }, 1),
                  curve("measured, inference", index, [&](double i) { return inference.data()[(static_cast<int64_t>(i) - 1) * m + 3]; }, 2)};
  lab.figure({train}, "How much the output of each of eight examples moves when the fourth one's input does (dy_i / dx_4, no units). In training every output moves, in inference only its own: "
                      "the off-diagonal entries are what couples a batch.");
}

}  // namespace

extern const Experiment jacobian_experiment{
    "jacobian", "Smoothing the landscape", "How does an input move the outputs of the whole batch?",
    "J = gamma/s (P - xhat xhat'/m): symmetric, rows sum to 0, eigenvalues 0, gamma eps/s^3 and gamma/s; in inference it is diagonal. Second to fourth derivatives are those of the three steps.",
    run, "Set eps to 0: the eigenvalue along xhat vanishes, and scaling the input has no effect at all on the output."};

}  // namespace evenkeel::lab
