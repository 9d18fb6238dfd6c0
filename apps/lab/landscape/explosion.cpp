// A limit of the claim: deep batch-norm networks at random weights have exploding gradients: claim A5.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  bool residual = false;
  static void each(auto& o, auto&& option) {
    option("residual", o.residual, Words{"off", "on"}, "every layer is added to its input");
  }
};

constexpr int64_t width = 1024;
constexpr size_t layers = 12;
using Function = Tensor (*)(const Tensor&);

// |gradient|^2 at every layer's input over that at the last one's, for a network of random weights with batch norm at
// every layer.
std::vector<double> squared_gradients(int64_t batch, Function f, bool residual, Random& random) {
  std::vector<Tensor> z{Tensor::normal({batch, width}, random).track()};
  for (size_t l = 0; l < layers; ++l) {
    const Tensor w = Tensor::normal({width, width}, random, 0, 1 / std::sqrt(static_cast<double>(width)));
    const Tensor branch = matmul(f(standardise(z.back(), 0).y), w);
    z.push_back(residual ? z.back() + branch : branch);
  }
  std::vector<double> all;
  for (const Tensor& g : grad(z.back(), z, {.cotangent = Tensor::normal({batch, width}, random)}))
    all.push_back(dot(g.detach(), g.detach()).item());
  return all;
}

double per_layer(const std::vector<double>& g) { return std::pow(g[2] / g[layers], 1.0 / (layers - 2)); }

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Function linear = [](const Tensor& x) { return x; };
  struct Case {
    const char* name;
    Function f;
    double table[3];  // batches of 8, 32 and 128
  };
  const Case cases[] = {{"linear", linear, {1.19, 1.039, 1.0095}},
                        {"ReLU", relu, {1.765, 1.526, 1.474}},
                        {"tanh", tanh, {1.357, 1.217, 1.190}}};
  const int64_t batches[] = {8, 32, 128};
  Chart chart{.title = "Gradients explode towards the input",
              .x_label = "layers back from the output",
              .y_label = "|gradient|^2 over the last layer's",
              .series = {},
              .log_y = true};
  double relu_growth = 0;
  int color = 1;
  for (const Case& c : cases) {
    for (size_t k = lab.quick() && c.f != linear ? 2 : 0; k < 3; ++k) {
      const int64_t b = batches[k];
      Sample growth;
      std::vector<double> last;
      for (int i = 0; i < lab.quick_or_full(b > 32 ? 1 : 2, 4); ++i)
        last = squared_gradients(b, c.f, p.residual, random), growth.add(per_layer(last));
      lab.between("A5",
                  fmt::format("{}, batches of {}: growth of $|gradient|^2$ per layer, table {}", c.name, b, c.table[k]),
                  c.table[k] * .97, c.table[k] * 1.03, {growth.mean()});
      const double law = (static_cast<double>(b) - 2) / (static_cast<double>(b) - 3);
      if (c.f == linear)
        lab.between("A5", fmt::format("the law $(B-2)/(B-3) = {:.4f}$", law), law * .98, law * 1.02, {growth.mean()});
      if (b != 128) continue;
      if (c.f == static_cast<Function>(relu)) relu_growth = growth.mean();
      Series s{fmt::format("measured, {}", c.name), {}, {}, color++};
      for (size_t l = 0; l <= layers; ++l)
        s.x.push_back(static_cast<double>(l)), s.y.push_back(last[layers - l] / last[layers]);
      chart.series.push_back(s);
    }
  }
  const double law = M_PI / (M_PI - 1);
  lab.equal("A5", "the law for ReLU and large batches: $pi / (pi - 1)$", 1.467, law, 1e-3);
  const auto grown = [=](double l) { return std::pow(law, l); };
  chart.series.push_back(curve("predicted, ReLU: (pi / (pi - 1))^layers", grid(0, layers, layers + 1), grown, 0, true));
  lab.figure(
      {chart},
      {.shows = fmt::format("Twelve layers of {} units with random weights and batch norm at every one, batches of "
                            "128: the squared norm of the gradient at "
                            "a layer's input (vertical, relative to the last layer's), against the number of layers "
                            "between it and the output.",
                            width),
       .predicted = "A constant factor per layer: pi/(pi - 1) = 1.467 for ReLU and large batches, (B-2)/(B-3) for "
                    "linear layers and batches of B.",
       .seen = fmt::format("{:.3f} per ReLU layer: {:.0f}-fold over the twelve. Batch norm does not prevent exploding "
                           "gradients at the start of training; residual connections and small steps help.",
                           relu_growth, std::pow(relu_growth, 12))});
}

}  // namespace

extern const Experiment explosion{
    "explosion",
    "Smoothing the landscape",
    "Are gradients of deep batch-norm networks well behaved from the start?",
    "No: at random weights the squared gradient grows by half with every ReLU layer towards the input.",
    "No: at random weights the squared gradient grows by $pi / (pi - 1) = 1.467$ per ReLU layer towards the input, and "
    "by $(B - 2) / (B - 3)$ per linear layer with batches of B.",
    run,
    {"Add every layer to its input (a residual network): how much of the growth is left for ReLUs?", "residual=on",
     "ReLU, batches of 128", 1.1, 1.25,
     "1.17 per layer instead of 1.47. The skip connections, which neither shrink nor grow the gradient, dominate the "
     "sum."}};

}  // namespace evenkeel::lab
