// How often a ReLU after batch normalisation is active, for infinite and for small batches: claims A3.6 to A3.9.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double gamma = 1;
  double beta = 0.5;
  static void each(auto& o, auto&& option) {
    option("gamma", o.gamma, Range{0.01, 100}, "scale");
    option("beta", o.beta, Range{-10, 10}, "shift");
  }
};

// The regularised incomplete beta function I_x(a, b), by a substitution that makes its integrand smooth: t = sin^2 u.
double beta_cdf(double x, double a, double b) {
  const auto integral = [=](double end) {
    double s = 0;
    for (int i = 0; i < 20000; ++i) {
      const double u = end * (i + 0.5) / 20000;
      s += std::pow(std::sin(u), 2 * a - 1) * std::pow(std::cos(u), 2 * b - 1);
    }
    return s * end / 20000;
  };
  return integral(std::asin(std::sqrt(x))) / integral(M_PI / 2);
}

// P(xhat + beta > 0) in a Gaussian batch of m: xhat^2 / (m - 1) is Beta(1/2, (m - 2)/2), xhat symmetric.
double active_in_batch(double beta, double m) {
  return 0.5 + (beta < 0 ? -0.5 : 0.5) * beta_cdf(std::min(1.0, beta * beta / (m - 1)), 0.5, (m - 2) / 2);
}

// The active fraction of relu(gamma xhat + beta): one draw a batch, for its values are not independent. `mean`: of the
// output instead.
enum class Inputs { normal, log_normal };
Sample measure(double gamma, double beta, int64_t m, int batches, Random& random, bool output = false,
               Inputs inputs = Inputs::normal) {
  Sample sample;
  const int64_t features = 64;
  const Tensor g = ones(features) * gamma, b = ones(features) * beta;
  for (int i = 0; i < batches; ++i) {
    const Tensor x = inputs == Inputs::normal ? Tensor::normal({m, features}, random, 3, 2)
                                              : exp(Tensor::normal({m, features}, random));
    const Tensor y = relu(batch_norm(x, g, b, 0).y);
    sample.add(mean(output ? y : step(y)).item());
  }
  return sample;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int batches = lab.quick_or_full(400, 1600);
  std::vector<double> phis;
  for (double beta : {-3., -2., -1., -.5, 0., .5, 1., 2., 3.}) phis.push_back(Phi(beta));
  lab.same("A3.6", "$Phi(beta / |gamma|)$, beta = -3 -2 -1 -.5 0 .5 1 2 3, against the table",
           {.00135, .02275, .15866, .30854, .5, .69146, .84134, .97725, .99865}, phis, 1e-5);
  for (double beta : {-1.0, 0.0, 0.5})
    lab.expected("A3.6", fmt::format("active fraction, gamma 1, beta {}, batches of 1024", beta),
                 active_in_batch(beta, 1024), measure(1, beta, 1024, batches / 4, random));
  lab.expected("A3.6", fmt::format("active fraction of your gamma {} and beta {}, batches of 1024", p.gamma, p.beta),
               active_in_batch(p.beta / p.gamma, 1024), measure(p.gamma, p.beta, 1024, batches / 4, random));
  lab.expected("A3.6", "gamma = -2, beta = 1: the sign of gamma does not matter", Phi(.5),
               measure(-2, 1, 4096, batches / 8, random));
  // The mean of e^z is e^(1/2): a value is above it where z > 1/2.
  const Sample symmetric = measure(1, 0, 4096, batches / 8, random),
               skewed = measure(1, 0, 4096, batches / 8, random, false, Inputs::log_normal);
  lab.expected("A3.6", "log-normal inputs, beta 0: $Phi(-1/2)$", Phi(-.5), skewed);
  const auto half_of = [](const Sample& s) { return std::abs(s.mean() - .5) < .01; };
  lab.only_if("A3.6", "with beta = 0 a ReLU is active with probability 1/2",
              "its inputs are symmetric about their mean",
              fmt::format("{:.3f} of normal inputs, {:.3f} of log-normal", symmetric.mean(), skewed.mean()),
              half_of(symmetric), half_of(skewed));
  const std::vector<double> sizes{3, 4, 8, 32, 128};
  std::vector<double> half, whole, none;
  for (double m : sizes)
    half.push_back(active_in_batch(.5, m)), whole.push_back(active_in_batch(1, m)),
        none.push_back(active_in_batch(0, m));
  lab.same("A3.7", "Beta law, beta 0.5, batches of 3 4 8 32 128: .6150 .6443 .6730 .6875 .6905",
           {.6150, .6443, .6730, .6875, .6905}, half, 1e-4);
  lab.same("A3.7", "beta 1: .75 .7887 .8220 .8373 .8404", {.75, .7887, .8220, .8373, .8404}, whole, 1e-4);
  lab.same("A3.7", "beta 0: one half in batches of any size", {.5, .5, .5, .5, .5}, none);
  for (int64_t m : {3, 4, 8, 32, 128})
    for (double beta : {0., .5, 1.})
      lab.expected("A3.7", fmt::format("batches of {}, beta {}: the Beta law against a count", m, beta),
                   active_in_batch(beta, static_cast<double>(m)), measure(1, beta, m, batches, random));
  for (const auto& [beta, value] : {std::pair{-1., .08332}, {0., .39894}, {1., 1.08332}}) {
    lab.equal("A3.8", fmt::format("mean output at beta = {}: $beta Phi + phi$", beta), value,
              beta * Phi(beta) + phi(beta), 1e-5);
    lab.expected("A3.8", fmt::format("mean output at beta = {}, measured", beta), value,
                 measure(1, beta, 4096, batches / 8, random, true));
  }
  for (double gamma : {2., -2.})
    lab.expected("A3.8",
                 fmt::format("gamma = {}, beta = 1: $beta Phi(beta/|gamma|) + |gamma| phi(beta/|gamma|)$", gamma),
                 Phi(.5) + 2 * phi(.5), measure(gamma, 1, 4096, batches / 8, random, true));
  // The active fraction of the gradient reaches beta; far below 0 none does.
  const Tensor x = Tensor::normal({256, 1}, random);
  const auto reaches = [&](double at) {
    const Tensor beta = Tensor::full({1}, at).track(), y = relu(batch_norm(x, ones(1), beta).y);
    return std::pair{grad(mean(y), {beta})[0].item(), mean(step(y.detach())).item()};
  };
  lab.equal("A3.6", "the gradient's share that reaches beta = 0.5 is the active fraction", reaches(.5).second,
            reaches(.5).first);
  lab.equal("A3.9", "none reaches beta = -5 from a batch of 256: a dead unit", 0, reaches(-5).first, 0);

  const std::vector<double> shifts = grid(-3, 3, 25);
  constexpr size_t at_one = 16;  // of the shifts
  Chart chart{.title = "ReLUs that are active",
              .x_label = "beta / |gamma|",
              .y_label = "fraction of the batch",
              .series = {curve("predicted: Phi(beta / |gamma|)", shifts, Phi, 0, true)}};
  int color = 1;
  for (int64_t m : {3, 8, 128}) {
    Series s{fmt::format("measured, batches of {}", m), shifts, {}, color++};
    for (double b : shifts) s.y.push_back(measure(1, b, m, batches / 8, random).mean());
    chart.series.push_back(s);
  }
  lab.figure(
      {chart},
      {.shows = "The fraction of examples for which a ReLU after batch normalisation is active (0 to 1), against the "
                "shift beta in "
                "units of |gamma|.",
       .predicted = "Phi(beta / |gamma|) for large batches: one half at beta = 0, whatever the batch's size. A batch "
                    "of three has no values beyond $sqrt(2)$, so beyond that shift all its ReLUs are active, or none.",
       .seen = fmt::format("At beta = |gamma| {:.3f} of a batch of 3 and {:.3f} of a batch of 128; Phi(1) is {:.3f}.",
                           chart.series[1].y[at_one], chart.series[3].y[at_one], Phi(1))});
}

}  // namespace

extern const Experiment relu_activity{
    "relu_activity",
    "Gradient flow",
    "How many ReLUs does batch normalisation keep alive?",
    "Half of them at beta = 0, in batches of any size, if the inputs are symmetric about their mean; beta in units of "
    "|gamma| moves that share.",
    "For normal inputs $Phi (beta / |gamma|)$ of them, half at beta = 0; in a batch of m, exactly, by the "
    "Beta(1/2, (m-2)/2) law of $xhat^2 / (m - 1)$; the mean output is $beta Phi (beta / |gamma|) + |gamma| phi (beta / "
    "|gamma|)$. For log-normal inputs only $Phi (-1/2)$ = 0.309 at beta = 0: the mean is centred, not the median.",
    run,
    {"Double both gamma and beta: how does the active fraction change?", "gamma=2 beta=1", "active fraction of your",
     0.685, 0.698,
     "It does not: only beta / |gamma| counts, and Phi(1/2) = 0.691 stays. `evenkeel doctor` measures the fraction on "
     "your own network."}};

}  // namespace evenkeel::lab
