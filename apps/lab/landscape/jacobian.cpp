// The Jacobian of batch normalisation, dense in training and diagonal in inference: claims A4.1 to A4.4 and A4.7.
#include "apps/lab/landscape/feature.h"
#include "layers/norm/batch_norm.h"
#include "optim/curvature/eigenvalue.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double eps = 0.01;
  int64_t batch = 8;
  static void each(auto& o, auto&& option) {
    option("eps", o.eps, Range{1e-30, 1}, "what is added to the variance under the root");
    option("batch", o.batch, Range{4, 64}, "examples in the batch");
  }
};

// The largest entry, by its size, that is not on the diagonal; of one column, or of all.
double largest_beside(const Tensor& matrix, int64_t column = -1) {
  double largest = 0;
  for (int64_t i = 0; i < matrix.dim(0); ++i)
    for (int64_t j = 0; j < matrix.dim(1); ++j)
      if (i != j && (column < 0 || j == column))
        largest = std::max(largest, std::abs(matrix.data()[i * matrix.dim(1) + j]));
  return largest;
}

void run(Lab& lab, const Parameters& p) {
  Random random(4);
  const int64_t m = p.batch;
  const Feature b(Tensor::normal({m, 1}, random, 1, 1.5), p.eps);
  const Tensor g = Tensor::normal({m, 1}, random), J = jacobian([&](const Tensor&t) { return b.norm(t); }, b.x);
  Tensor closed = Tensor::empty({m, m});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j)
      closed.mutable_data()[i * m + j] = b.gamma / b.s * (b.projection(i, j) - b.h(i) * b.h(j) / b.m);
  lab.same("A4.1", "training: $J = gamma / s (P - xhat xhat' / m)$", closed, J, 1e-13);
  lab.same("A4.2", "symmetric: $J v = J' v$", matmul(J, g), matmul(J, g, true), 1e-13);
  lab.same("A4.2", "$J 1 = 0$: rows sum to 0", Tensor::zeros({m, 1}), matmul(J, Tensor::full({m, 1}, 1)), 1e-13);
  lab.same("A4.2", "$J xhat = (gamma eps) / s^3 xhat$", b.xhat * (b.gamma * b.eps / (b.s * b.s * b.s)),
           matmul(J, b.xhat), 1e-13);
  lab.equal("A4.2", "the eigenvalue along xhat: $(gamma eps) / s^3$", b.gamma * b.eps / (b.s * b.s * b.s),
            dot(b.xhat, matmul(J, b.xhat)).item() / dot(b.xhat, b.xhat).item(), 1e-13);
  const Tensor centred = g - mean(g).item(),
               third = centred - b.xhat * (dot(centred, b.xhat).item() / dot(b.xhat, b.xhat).item());
  lab.same("A4.2", "$J v = gamma / s v$ on all m - 2 directions orthogonal to 1 and xhat", third * (b.gamma / b.s),
           matmul(J, third), 1e-13);
  double trace = 0;
  for (int64_t i = 0; i < m; ++i) trace += J.data()[i * m + i];
  lab.equal("A4.2", "its trace: $gamma / s (m - 1 - sigma^2 / s^2)$", b.gamma / b.s * (b.m - 1 - b.var / (b.s * b.s)),
            trace, 1e-13);

  const Tensor x = b.x.clone().track(), dx = grad(b.norm(x), {x}, {.cotangent = g})[0].detach();
  lab.same("A4.3", "$dx = gamma / s (g - mean g - xhat mean(g xhat))$",
           (centred - b.xhat * mean(g * b.xhat).item()) * (b.gamma / b.s), dx, 1e-13);
  lab.equal("A4.3", "dx sums to 0", 0, sum(dx).item(), 1e-13);
  lab.equal("A4.3", "the sum of $dx xhat$ is $eps / s^2 gamma / s$ times that of $g xhat$",
            b.eps / (b.s * b.s) * b.gamma / b.s * dot(g, b.xhat).item(), dot(dx, b.xhat).item(), 1e-13);
  const Feature bare(b.x, 0);
  const Tensor d0 = grad(bare.norm(x), {x}, {.cotangent = g})[0].detach();
  lab.equal("A4.7", "$|dx|^2 = gamma^2 / sigma^2 (|g|^2 - (1' g)^2 / m - (xhat' g)^2 / m)$, eps = 0",
            b.gamma * b.gamma / b.var *
                (dot(g, g).item() - std::pow(sum(g).item(), 2) / b.m - std::pow(dot(g, bare.xhat).item(), 2) / b.m),
            dot(d0, d0).item(), 1e-12);

  BatchNorm layer(1, {.eps = b.eps});
  *layer.gamma.mutable_data() = b.gamma;
  layer.forward(b.x, Mode::train);
  const auto in = [&](Mode mode) {
    return jacobian([&, mode](const Tensor& t) { return layer.forward(t, mode); }, b.x);
  };
  const double root = std::sqrt(layer.running_var.item() + b.eps);
  const Tensor diagonal = jacobian([&](const Tensor&t) { return t * (b.gamma / root); }, b.x),
               inference = in(Mode::eval);
  lab.same("A4.1", "the layer in training mode has the same J", J, in(Mode::probe), 1e-13);
  lab.same("A4.4", "inference: $J = gamma / sqrt(running variance + eps)$ on the diagonal", diagonal, inference, 1e-13);
  double beside = 0;
  for (int64_t i = 0; i < m * m; ++i) beside += i % (m + 1) ? std::abs(inference.data()[i]) : 0;
  lab.equal("A4.4", "inference: the sum of all off-diagonal entries, in size", 0, beside, 0);
  lab.equal("A4.4", "inference: $dL/dgamma$ is the sum of $g (x - running mean) / sqrt(running variance + eps)$",
            dot(g, b.x - layer.running_mean.item()).item() / root,
            grad(layer.forward(b.x, Mode::eval), {layer.gamma}, {.cotangent = g})[0].item(), 1e-13);

  const std::vector<double> index = grid(1, static_cast<double>(m), static_cast<int>(m));
  const auto column = [&](const Tensor& of) {
    return [&of, m](double i) { return of.data()[(static_cast<int64_t>(i) - 1) * m + 3]; };
  };
  const auto cells = [m](const Tensor& matrix) {
    std::vector<std::vector<double>> rows;
    for (int64_t i = 0; i < m; ++i) rows.emplace_back(matrix.data() + i * m, matrix.data() + (i + 1) * m);
    return rows;
  };
  lab.figure(
      {{.title = "In training: dense",
        .x_label = "input of example j",
        .y_label = "output of example i",
        .series = {},
        .cells = cells(J)},
       {.title = "In inference: diagonal",
        .x_label = "input of example j",
        .y_label = "output of example i",
        .series = {},
        .cells = cells(inference)}},
      {.shows = "The Jacobian dy_i / dx_j of one feature: one row per output, one column per input of the batch "
                "(no unit; blue is above 0, orange below).",
       .predicted = "In training every input moves every output, so in general no entry is 0. In inference each moves "
                    "its own output only, all by the same factor.",
       .seen = fmt::format("The largest off-diagonal entry is {:.3f} in training and {} in inference.",
                           largest_beside(J), largest_beside(inference))});
  lab.figure({{.title = "One example moves them all",
               .x_label = "example i of the batch",
               .y_label = "dy_i / dx_4",
               .series = {curve("predicted, training", index, column(closed), 0, true),
                          curve("measured, training", index, column(J), 1),
                          curve("measured, inference", index, column(inference), 2)}}},
             {.shows = "How much the output of each example (horizontal) moves when the input of the fourth one moves "
                       "(vertical: dy_i / dx_4, no unit).",
              .predicted = "In training every output moves, by gamma/s times the entries of P - xhat xhat'/m: the "
                           "off-diagonal entries are "
                           "what couples a batch. In inference only the fourth moves.",
              .seen = fmt::format("The measured column lies on the predicted one; its largest off-diagonal entry is "
                                  "{:.3f} in training and {} in inference.",
                                  largest_beside(J, 3), largest_beside(inference, 3))});
}

}  // namespace

extern const Experiment jacobian_experiment{
    "jacobian",
    "Smoothing the landscape",
    "How does an input move the outputs of the whole batch?",
    "In training every input moves every output of the batch; in inference only its own.",
    "$J = gamma / s (P - xhat xhat' / m)$ with $P = I - 1 1' / m$: symmetric, rows sum to 0, eigenvalues 0, $gamma eps "
    "/ s^3$ and $gamma / s$; in inference it is diagonal.",
    run,
    {"Let eps be nearly 0: what is the eigenvalue along xhat?", "eps=1e-30", "the eigenvalue along xhat", -1e-12, 1e-12,
     "It is 0: scaling the input has no effect at all on the output. Only through eps does the scale of a batch "
     "matter."}};

}  // namespace evenkeel::lab
