// A case where smoothing can be proved: the curvature of a linear layer on ReLU units, with and without centring:
// claims A2.7 and A5.2.
#include <tuple>

#include "apps/lab/lab.h"
#include "optim/curvature/eigenvalue.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t units = 100;
  static void each(auto& o, auto&& option) {
    option("units", o.units, Range{2, 400}, "ReLU units d that the layer reads");
  }
};

// The loss |h w|^2 / 2n of a linear layer; its Hessian is E h h'.
Tensor loss(const Tensor& h, const Tensor& w) { return mean(square(matmul(h, w))) * 0.5; }
double sharpness(const Tensor& h, Random& random) {
  Tensor w = Tensor::normal({h.channels(), 1}, random).track();
  return largest_eigenvalue([&] { return loss(h, w); }, {w}, random, {.tolerance = 1e-8}).value;
}

const double variance = .5 - 1 / (2 * M_PI);  // of a ReLU of N(0, 1): E h^2 is 1/2, E h is 1 / sqrt(2 pi)
double predicted(double units) { return variance + units / (2 * M_PI); }
Tensor centred(const Tensor& h) { return add_per_channel(h, -mean_rows(h)); }

// The fraction of the loss after 200 steps of gradient descent.
double left(const Tensor& h, double lr) {
  Tensor w = Tensor::full({h.channels(), 1}, 1).track();
  const double before = loss(h, w).item();
  for (int t = 0; t < 200; ++t) w.copy_from(w.detach() - grad(loss(h, w), {w})[0].detach() * lr);
  return loss(h, w).item() / before;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const int64_t n = lab.quick_or_full(4000, 20000), d = p.units;
  const Tensor h = relu(Tensor::normal({n, d}, random)), middle = centred(h), normal = standardise(h).y;
  if (lab.standard())
    lab.equal("A2.7", "$lambda_max$ of $E h h'$, 100 ReLUs: $(1/2 - 1/(2 pi)) + d/(2 pi) = 0.3408 + 0.1592 d$", 16.26,
              predicted(100), 1e-3);
  const double plain = sharpness(h, random), moved = sharpness(middle, random), renewed = sharpness(normal, random);
  // Sampling spreads the eigenvalues of the identity up to (1 + sqrt(d/n))^2 (Marchenko and Pastur).
  const double noise = std::pow(1 + std::sqrt(static_cast<double>(d) / static_cast<double>(n)), 2);
  const double law = predicted(static_cast<double>(d));
  lab.between("A2.7", fmt::format("measured on {} draws, {} units", n, d), law * .97, law * 1.03, {plain});
  lab.between(
      "A2.7",
      fmt::format("centred alone $1/2 - 1/(2 pi) = {:.4f}$; of so many draws {:.2f} times that", variance, noise),
      variance * noise * .93, variance * noise * 1.05, {moved});
  lab.between("A2.7", fmt::format("after batch norm 1; of so many draws $(1 + sqrt(d/n))^2 = {:.2f}$", noise),
              noise * .93, noise * 1.05, {renewed});
  if (lab.standard())
    lab.equal("A5.2", "the largest stable step $2 / lambda$, against the table", .123, 2 / predicted(100), 1e-3);
  for (const auto& [name, x, lambda] :
       {std::tuple{"without", h, plain}, {"centred alone", middle, moved}, {"with batch norm", normal, renewed}}) {
    lab.between("A5.2", fmt::format("{}: loss left after 200 steps at 0.95 of $2 / lambda = {:.3g}$", name, 2 / lambda),
                0, 1, {left(x, .95 * 2 / lambda)});
    lab.between("A5.2", fmt::format("{}: at 1.05 of it, it explodes", name), 1e3, INFINITY,
                {left(x, 1.05 * 2 / lambda)});
  }
  const std::vector<double> widths{2, 10, 25, 50, 100};
  Series without{"measured, without", widths, {}, 1}, alone{"measured, centred alone", widths, {}, 3},
      with{"measured, with batch norm", widths, {}, 2};
  for (double units : widths) {
    const Tensor part = relu(Tensor::normal({n, static_cast<int64_t>(units)}, random));
    without.y.push_back(sharpness(part, random));
    alone.y.push_back(sharpness(centred(part), random));
    with.y.push_back(sharpness(standardise(part).y, random));
  }
  lab.figure(
      {{.title = "Sharpness of one linear layer",
        .x_label = "number of ReLU units d",
        .y_label = "largest eigenvalue of the Hessian",
        .series = {curve("predicted, without: 0.3408 + 0.1592 d", widths, predicted, 0, true), without,
                   curve(
                       "predicted, centred: 0.3408", widths, [](double) { return variance; }, 4, true),
                   alone,
                   curve(
                       "predicted, with: 1", widths, [](double) { return 1.0; }, 7, true),
                   with}}},
      {.shows = "The largest curvature of a squared loss of a linear layer (vertical, no unit), against the "
                "number of ReLU units it "
                "reads, which get independent N(0, 1) inputs.",
       .predicted = "The units' common mean makes one direction steeper by 0.16 for every unit. Centred, all "
                    "directions are equally steep: 0.34, the variance of a unit; scaled too, 1.",
       .seen = fmt::format("At {} units {:.2f} without, {:.2f} centred alone and {:.2f} with batch norm, on {} draws: "
                           "with batch norm the largest stable step is {:.1f} times as large.",
                           d, plain, moved, renewed, n, plain / renewed)});
}

}  // namespace

extern const Experiment one_layer{
    "one_layer",
    "Smoothing the landscape",
    "Why should centring make a loss smoother?",
    "Because the common mean of ReLU units makes one direction steep: 16.3 for 100 units, 0.34 for the same units "
    "centred, 1 centred and scaled.",
    "Provably for one layer on d ReLU units: the Hessian's largest eigenvalue is $1 / 2 - 1 / (2 pi) + d / (2 pi) = "
    "0.3408 + 0.1592 d$ without, 0.3408 after centring alone, 1 with batch normalisation, and the largest stable "
    "learning rate 2 over that.",
    run,
    {"Give the layer 25 units instead of 100: how sharp is it without batch norm?", "units=25", "measured on", 4.1, 4.5,
     "0.34 + 0.16 x 25 = 4.3 instead of 16.3: every unit adds 1/(2 pi). With batch norm it stays near 1."}};

}  // namespace evenkeel::lab
