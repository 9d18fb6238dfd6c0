// Batch renormalisation: training computes the function of inference, with batch norm's gradient: claims A9.1 to A9.4.
#include "apps/lab/lab.h"
#include "layers/norm/batch_renorm.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t batch = 8;
  static void each(auto& o, auto&& option) {
    option("batch", o.batch, Range{4, 256}, "examples in a batch of the figure");
  }
};

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t m = 7;
  BatchRenorm free(2, {.r_max = 1e9, .d_max = 1e9, .start = 0, .r_end = 0, .d_end = 0}), off(2);
  const Tensor mean = Tensor::normal({2}, random), var = square(Tensor::normal({2}, random)) + .3,
               cotangent = Tensor::normal({m, 2}, random);
  free.set_statistics(mean, var, 100);
  free.gamma.copy_from(Tensor::of({2}, {1.7, -.6}));
  const Tensor x = Tensor::normal({m, 2}, random, 1, 2).track();
  const Tensor y = free.forward(x, Mode::probe), sigma = free.running_sigma;
  lab.same("A9.1", "$r = sigma_B / sigma$, $d = (mu_B - mu) / sigma$: training computes what inference does",
           free.forward(x, Mode::eval).detach(), y.detach(), 1e-13);
  const Tensor xhat = standardise(x.detach()).y;
  const Tensor projected =
      add_per_channel(cotangent, -mean_rows(cotangent)) - scale_per_channel(xhat, mean_rows(cotangent * xhat));
  lab.same("A9.2", "its $J = gamma / sigma (P - xhat xhat' / m)$: batch norm's, with the running sigma",
           scale_per_channel(projected, free.gamma.detach() / sigma),
           grad(y, {x}, {.cotangent = cotangent})[0].detach(), 1e-13);
  // With gradients through r and d the batch's statistics cancel.
  const Tensor mu_b = mean_rows(x), sigma_b = sqrt(mean_rows(square(add_per_channel(x, -mu_b))) + 1e-5),
               r = sigma_b / sigma, d = (mu_b - free.running_mean) / sigma;
  const Tensor through = batch_norm_definition(x, free.gamma * r, free.gamma * d);
  lab.same("A9.2", "with gradient through r and d: $J = gamma / sigma$ on the diagonal",
           scale_per_channel(cotangent, free.gamma.detach() / sigma),
           grad(through, {x}, {.cotangent = cotangent})[0].detach(), 1e-13);
  lab.same("A9.3", "r = 1, d = 0: batch norm, to the bit", batch_norm(x, off.gamma, off.beta).y.detach(),
           off.forward(x, Mode::train).detach(), 0);
  // The paper's schedule: r = 1, d = 0 for 5000 steps; r_max is 3 from 40,000 on, d_max 5 from 25,000 on.
  const auto limits = [](int64_t steps) {
    BatchRenorm layer(1);
    *layer.batches.mutable_data() = static_cast<double>(steps);
    return std::vector<double>{layer.r_limit(), layer.d_limit()};
  };
  lab.same("A9.3", "limits $(r_max, d_max)$ at step 5000: (1, 0)", {1, 0}, limits(5000), 0);
  lab.same("A9.3", "halfway for d, at 15,000: $d_max$ 2.5", {1 + 2 * 10. / 35, 2.5}, limits(15000));
  lab.same("A9.3", "at 25,000 $d_max$ is 5, at 40,000 $r_max$ 3", {3, 5}, {limits(40000)[0], limits(25000)[1]});
  const auto jensen = [](double b) {
    return std::sqrt(2 / b) * std::exp(std::lgamma(b / 2) - std::lgamma((b - 1) / 2));
  };
  for (const auto& [size, table] : {std::pair{4, .798}, {8, .903}, {32, .976}}) {
    lab.equal("A9.4", fmt::format("$E sigma_B / sigma$, batches of {}: the Gamma functions against the table", size),
              table, jensen(size), 1e-3);
    const Normalized n = standardise(Tensor::normal({size, 20000}, random));
    Sample root;
    for (double v : n.var.values()) root.add(std::sqrt(v));
    lab.expected(
        "A9.4",
        fmt::format("batches of {}, measured: the running sigma over the root of an unbiased running variance", size),
        jensen(size), root);
  }

  // One fixed example in random batches, trained with nearly free r and d: how noisy is its output?
  std::vector<double> limits_of_r, noise;
  for (double r_max : {1., 1.1, 1.25, 1.5, 2., 3.}) {
    BatchRenorm layer(
        512, {.new_weight = .02, .r_max = r_max, .d_max = 2 * (r_max - 1), .start = 0, .r_end = 0, .d_end = 0});
    Sample y;
    for (int t = 0; t < 300; ++t) {
      Tensor batch = Tensor::normal({p.batch, 512}, random);
      std::fill_n(batch.mutable_data(), 512, 1.0);
      const Tensor out = layer.forward(batch, Mode::train).detach();
      for (int64_t c = 0; c < 512 && t >= 150; ++c) y.add(out.data()[c]);
    }
    limits_of_r.push_back(r_max), noise.push_back(std::sqrt(y.variance()));
  }
  const Series seen{fmt::format("measured, batches of {}", p.batch), limits_of_r, noise, 1};
  lab.between("A9.3", "noise of one example's output, $r_max$ 3 over $r_max$ 1 (batch norm): less than half", 0, .5,
              {noise.back() / noise.front()});
  lab.observed("A9.3", "noise of its output under batch norm", "", {noise.front()});
  lab.figure({{.title = "What freeing r and d does to the noise of the batch",
               .x_label = "r_max (d_max is 2 (r_max - 1))",
               .y_label = "standard deviation of y",
               .series = {curve(
                              "batch norm: r_max = 1", limits_of_r, [&](double) { return noise[0]; }, 7, true),
                          seen}}},
             {.shows = "The standard deviation of one fixed example's output among random others (vertical, no "
                       "unit), against how "
                       "far r may leave 1 (horizontal).",
              .predicted = "At r_max = 1 it is batch norm's. The freer r and d, the nearer to inference, whose output "
                           "does not depend on "
                           "the other examples at all.",
              .seen = fmt::format("{:.3f} at r_max = 1 (batch norm), {:.3f} at 3.", noise.front(), noise.back())});
}

}  // namespace

extern const Experiment renorm{
    "renorm",
    "Batch renormalisation",
    "Can the train-test discrepancy be corrected in training?",
    "Yes: with r and d training computes the same function as inference, but with batch norm's gradient.",
    "With $r = sigma_B / sigma$ and $d = (mu_B - mu) / sigma$ training computes exactly what inference does, and only "
    "the missing gradient through r and d keeps it from being inference. Clipped to r = 1 and d = 0 it is batch norm, "
    "to the bit.",
    run,
    {"Take batches of 64: how much noise is there to remove?", "batch=64", "noise of its output under batch norm", 0.1,
     0.2, "0.15 instead of 0.41: the batch's own noise falls as $1 / sqrt(m)$. Renorm is for small batches."}};

}  // namespace evenkeel::lab
