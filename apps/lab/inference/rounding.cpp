// Products whose inputs are rounded to bf16, as `train --precision bf16` computes them: what it does to running
// statistics and to sharpness: claim A11.1.
#include "apps/lab/lab.h"
#include "optim/curvature/eigenvalue.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t bits = 8;
  static void each(auto& o, auto&& option) {
    option("bits", o.bits, Range{2, 24}, "significant bits that rounding keeps; bf16 has 8");
  }
};

// v rounded to the nearest number with so many significant bits.
double rounded(double v, int64_t bits) {
  if (v == 0) return v;
  int exponent = 0;
  const double fraction = std::frexp(v, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, static_cast<int>(bits))), exponent - static_cast<int>(bits));
}
Tensor rounded(const Tensor& x, int64_t bits) {
  return map(x.detach(), [bits](real v) { return rounded(v, bits); });
}

// matmul() of rounded inputs; its derivatives are such products too, as in bf16.
Tensor product(const Tensor& a, const Tensor& b, int64_t bits, bool ta = false, bool tb = false) {
  return record(matmul(rounded(a, bits), rounded(b, bits), ta, tb), {a, b}, [=](const Tensor&, const Tensor& g) {
    return Grads{ta ? product(b, g, bits, tb, true) : product(g, b, bits, false, !tb),
                 tb ? product(g, a, bits, true, ta) : product(a, g, bits, !ta, false)};
  });
}

// r = E (rounding error)^2 of x ~ N(mean, 1): s^2 / 12 for numbers s apart, summed over the powers of two.
double squared_error(double mean, int64_t bits) {
  const auto below = [&](double v) { return Phi(v - mean); };
  double r = 0;
  for (int e = -40; e < 20; ++e) {
    const double low = std::ldexp(1, e), spacing = std::ldexp(2, e - static_cast<int>(bits));
    r += spacing * spacing / 12 * (below(2 * low) - below(low) + below(-low) - below(-2 * low));
  }
  return r;
}

// Root mean squares over `rounds` layers of `units` units that read n standard normal inputs, one batch of m each: of
// the relative change of running variances by rounding, and of the change of running means in deviations.
struct Differences {
  double variance, mean;
};
Differences statistics(int64_t rounds, int64_t n, int64_t m, int64_t units, int64_t bits, Random& random) {
  Sample variance, mean;
  for (int64_t round = 0; round < rounds; ++round) {
    const Tensor x = Tensor::normal({m, n}, random), w = Tensor::normal({n, units}, random);
    const auto exact = standardise(matmul(x, w)), rough = standardise(product(x, w, bits));
    for (int64_t i = 0; i < units; ++i) {
      const double v = exact.var.data()[i];
      variance.add(std::pow(rough.var.data()[i] / v - 1, 2));
      mean.add(std::pow(rough.mean.data()[i] - exact.mean.data()[i], 2) / v);
    }
  }
  return {std::sqrt(variance.mean()), std::sqrt(mean.mean())};
}

// The sharpness of a small network with batch norm, in products of so many bits, after `steps` steps of exact training.
double sharpness(int64_t bits, int steps) {
  Random random(5);
  const Tensor x = Tensor::normal({256, 10}, random);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < 256; ++i)
    labels.push_back((x.data()[10 * i] > 0) + (x.data()[10 * i + 1] * x.data()[10 * i + 2] > 0));
  std::vector<Tensor> w{(Tensor::normal({10, 32}, random) * std::sqrt(.1)).track(),
                        (Tensor::normal({32, 32}, random) * std::sqrt(1 / 32.0)).track(),
                        (Tensor::normal({32, 3}, random) * std::sqrt(1 / 32.0)).track()};
  const auto loss = [&](int64_t b) {
    const Tensor h = tanh(standardise(product(x, w[0], b)).y), k = tanh(standardise(product(h, w[1], b)).y);
    return cross_entropy(product(k, w[2], b), labels);
  };
  for (int t = 0; t < steps; ++t) {
    const Grads g = grad(loss(53), w);
    for (size_t i = 0; i < w.size(); ++i) w[i].copy_from(w[i].detach() - g[i].detach() * 0.5);
  }
  return largest_eigenvalue([&] { return loss(bits); }, w, random, {.max_steps = 60, .tolerance = 1e-2}).value;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t draws = lab.quick_or_full(100'000, 500'000);
  Sample error;
  for (double v : Tensor::normal({draws}, random).values()) error.add(std::pow(rounded(v, p.bits) - v, 2));
  const double r = squared_error(0, p.bits);
  lab.expected("A11.1", "r, the mean squared rounding error of a standard normal number", r, error);

  // A weight's error is the same for every example: it changes a unit's variance by 2 sum w^2 delta / sum w^2.
  // A mean's change comes from the inputs' means and their errors, which all units of a layer share.
  const int64_t n = 64, m = 2048, units = 250, rounds = lab.quick_or_full(4, 16);
  const Differences d = statistics(rounds, n, m, units, p.bits, random);
  const double variance = std::sqrt(r * (12.0 / n + 8.0 / m)), mean = std::sqrt(2 * r / m),
               of_units = 4 / std::sqrt(2.0 * static_cast<double>(units * rounds)),
               of_inputs = 4 / std::sqrt(4.0 * static_cast<double>(n * rounds));
  lab.between("A11.1", "64 inputs, batches of 2048: relative change of variances, $sqrt(r (12 / n + 8 / m))$",
              variance * (1 - of_units), variance * (1 + of_units), {d.variance});
  lab.between("A11.1", "change of means in deviations, $sqrt(2 r / m)$", mean * (1 - of_inputs), mean * (1 + of_inputs),
              {d.mean});

  // Numbers of a mean far from 0 are further apart: their variance grows by r(M).
  const std::vector<double> means{1, 2, 4, 8, 16, 32, 64};
  Series measured{"measured", means, {}, 1};
  for (double at : means) {
    Sample growth;
    for (double v : Tensor::normal({draws}, random).values())
      growth.add(std::pow(rounded(at + v, p.bits) - at, 2) - v * v);
    measured.y.push_back(std::max(growth.mean(), 1e-9));
    // The law holds for numbers closer together than a deviation.
    if (at >= 16 && std::ldexp(at, 1 - static_cast<int>(p.bits)) <= 0.5)
      lab.expected("A11.1", fmt::format("mean {} deviations: growth of the variance, r(M)", at),
                   squared_error(at, p.bits), growth);
  }
  if (lab.standard())
    for (const int steps : {0, 50})
      lab.between("A11.1", fmt::format("$lambda_max$ after {} steps, relative change", steps), 0, .01,
                  {std::abs(sharpness(p.bits, steps) / sharpness(53, steps) - 1)});

  lab.figure(
      {{.title = "A mean far from zero costs the variance its digits",
        .x_label = "mean M in deviations",
        .y_label = "growth of the variance",
        .series = {curve(
                       "predicted: r(M)", means, [&](double at) { return squared_error(at, p.bits); }, 0, true),
                   measured},
        .log_x = true,
        .log_y = true}},
      {.shows = "How much the variance of a feature grows, relative to its own, if its values are rounded (vertical), "
                "against its mean in deviations.",
       .predicted =
           "bf16 numbers are $2^(e - 7)$ apart between $2^e$ and $2^(e + 1)$, so the growth rises with M squared. "
           "Batch normalisation before a product keeps M near 0.",
       .seen = fmt::format("From {:.1e} at M = 4 to {:.1e} at M = 64.", measured.y[2], measured.y.back())});
}

}  // namespace

extern const Experiment rounding{
    "rounding",
    "Inference",
    "What do products in bf16 do to running statistics and to sharpness?",
    "Almost nothing: variances change by about 1e-3, means less. Features with a mean far from zero would lose digits.",
    "A relative error of mean square r in each input of a product changes a unit's running variance by "
    "$sqrt(12 r / n)$ for n inputs: the weights' errors are the same for every example. Sums, statistics and "
    "normalisation stay exact.",
    run,
    {"Keep only 4 significant bits: how much do the variances change?", "bits=4",
     "64 inputs, batches of 2048: relative change of variances", 0.008, 0.014,
     "16 times as much, about 0.011: each bit less doubles the errors of products."}};

}  // namespace evenkeel::lab
