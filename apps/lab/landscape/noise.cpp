// How much noise the other examples of a random batch add to one: claims A4.9 and A4.10.
#include <tuple>

#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t pixels = 1;
  static void each(auto& o, auto&& option) {
    option("pixels", o.pixels, Range{1, 64}, "values that an example brings to the statistics");
  }
};

// xhat of an example fixed at x among m - 1 draws from N(0, 1): its spread, and the batch's common factor sigma / s.
struct Company {
  Sample xhat;
  Sample gain;
};
Company company(double x, int64_t m, int batches, Random& random) {
  Company c;
  const int64_t features = 256;
  for (int i = 0; i < batches; ++i) {
    Tensor batch = Tensor::normal({m, features}, random);
    for (double v : standardise(batch, 0).var.values()) c.gain.add(1 / std::sqrt(v));
    std::fill_n(batch.mutable_data(), features, x);
    const Tensor y = standardise(batch, 0).y;
    for (int64_t k = 0; k < features; ++k) c.xhat.add(y.data()[k]);
  }
  return c;
}

double predicted_noise(double x, double m) { return std::sqrt((1 + x * x / 2) / m); }
double predicted_gain(double m) {
  return std::sqrt(m / 2) * std::exp(std::lgamma((m - 2) / 2) - std::lgamma((m - 1) / 2));
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int batches = lab.quick_or_full(100, 1000);
  const int64_t values = 32 * p.pixels;
  lab.observed("A4.9", "deviation of xhat at x = 0 in a batch of 32",
               fmt::format("{:.4f}, first order", predicted_noise(0, static_cast<double>(values))),
               {std::sqrt(company(0, values, batches, random).xhat.variance())});

  for (const auto& [m, x, table] : {std::tuple{32, 0., .185}, {32, 1., .219}, {128, 0., .0894}, {128, 1., .1083}}) {
    const double seen = std::sqrt(company(x, m, batches, random).xhat.variance());
    lab.between("A4.9",
                fmt::format("deviation of xhat at x = {}, batches of {}; first order {:.4f}, NumPy {}", x, m,
                            predicted_noise(x, m), table),
                table * .97, table * 1.03, {seen});
  }
  const auto over_formula = [&](double x, int64_t m) {
    return company(x, m, 400, random).xhat.variance() / std::pow(predicted_noise(x, static_cast<double>(m)), 2);
  };
  const auto five_percent_from = [&](double x, int threshold, int64_t below, int64_t above) {
    const double few = over_formula(x, below), many = over_formula(x, above);
    lab.only_if("A4.9", fmt::format("$Var(xhat | x)$ is $(1 + x^2/2) / m$ within 5 %, at x = {}", x),
                fmt::format("the batch is larger than about {}", threshold),
                fmt::format("variance {:.3f}x the formula at m = {}, {:.3f}x at {}", few, below, many, above),
                std::abs(many - 1) < .05, std::abs(few - 1) < .05);
    return std::pair{few, many};
  };
  const auto [few, many] = five_percent_from(0, 60, 32, 128);
  five_percent_from(2, 140, 64, 256);

  const std::vector<double> sizes{4, 8, 16, 32, 64, 128, 256},
      table{1.596, 1.204, 1.088, 1.0414, 1.0201, 1.0099, 1.0049};
  std::vector<double> law;
  for (double m : sizes) law.push_back(predicted_gain(m));
  lab.equal("A4.10", "$E sigma / sigma_B$, batches of 3: Gamma functions against the table", 2.171, predicted_gain(3),
            2e-4);
  lab.same("A4.10", "batches of 4 8 16 32 64 128 256: 1.596 1.204 1.088 1.0414 1.0201 1.0099 1.0049", table, law, 3e-4);
  Series noise_seen{"measured at x = 0", sizes, {}, 1}, noise_far{"measured at x = 2", sizes, {}, 3},
      gain_seen{"measured", sizes, {}, 1};
  for (double size : sizes) {
    const int64_t m = static_cast<int64_t>(size);
    const int enough = std::max(10, batches * 16 / static_cast<int>(m));
    const Company c = company(0, m, enough, random);
    if (m > 4)
      lab.expected("A4.10", fmt::format("batches of {}, measured", m), predicted_gain(size),
                   c.gain);  // at 4 its variance is infinite
    noise_seen.y.push_back(std::sqrt(c.xhat.variance()));
    noise_far.y.push_back(std::sqrt(company(2, m, enough, random).xhat.variance()));
    gain_seen.y.push_back(c.gain.mean());
  }
  lab.figure(
      {{.title = "Noise of one example's xhat",
        .x_label = "batch size",
        .y_label = "standard deviation of xhat",
        .series = {curve(
                       "predicted, x = 0", sizes, [](double m) { return predicted_noise(0, m); }, 0, true),
                   noise_seen,
                   curve(
                       "predicted, x = 2", sizes, [](double m) { return predicted_noise(2, m); }, 2, true),
                   noise_far},
        .log_x = true,
        .log_y = true},
       {.title = "Small batches amplify",
        .x_label = "batch size",
        .y_label = "mean of sigma / sigma_B",
        .series = {curve("predicted, by Gamma functions", sizes, predicted_gain, 0, true), gain_seen},
        .log_x = true}},
      {.shows = "Left: in training mode the output for an example at a fixed x is a random number, because the other "
                "examples of the batch are random. The standard deviation of xhat against the batch size (no units, "
                "size on a logarithmic axis). "
                "Right: the mean of $sigma / sigma_B$, by which a batch multiplies activations and gradients.",
       .predicted = "The noise falls as $sqrt((1 + x^2/2) / m)$: its square within 5 % once m is above 60 at x = 0, "
                    "and above 140 "
                    "at x = 2. $1 / sigma_B$ is on average larger than $1 / sigma$, so that small batches amplify.",
       .seen = fmt::format(
           "At x = 0 the variance is {:.2f} of the formula at m = 32, {:.2f} at 128; a batch of 8 amplifies "
           "{:.2f}-fold, one of 256 {:.3f}-fold.",
           few, many, gain_seen.y[1], gain_seen.y.back())});
}

}  // namespace

extern const Experiment noise{
    "noise",
    "Smoothing the landscape",
    "How much noise do the other examples of a batch add to one?",
    "Its normalised value has a spread of about $1 / sqrt(m)$: 0.18 in a batch of 32.",
    "$Var (xhat | x) = (1 + x^2 / 2) / m$, within 5 % for batches above about 60 at x = 0 and about 140 at x = 2; "
    "and $E sigma / sigma_B = sqrt(m / 2) Γ((m - 2) / 2) / Γ((m - 1) / 2)$: 1.2 at m = 8, 1.005 at 256.",
    run,
    {"Use images instead of numbers: 7 x 7 pixels per channel. How noisy is a value in a batch of 32?", "pixels=49",
     "deviation of xhat at x = 0 in a batch", 0.0245, 0.026,
     "Seven times less, 0.025 instead of 0.18: each image brings 49 values, so that m is 49 times as large. "
     "(Neighbouring pixels are correlated; then it is more than that.)"}};

}  // namespace evenkeel::lab
