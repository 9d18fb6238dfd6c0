// ReLUs that are dead from the start, without and with batch normalisation: claim A3.11.
#include "apps/lab/training.h"
#include "layers/activation.h"
#include "layers/dense.h"
#include "layers/model/inspect.h"
#include "layers/norm/batch_norm.h"
#include "layers/pooling.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  double bias = -10;
  static void each(auto& o, auto&& option) {
    option("bias", o.bias, Range{-1000, 1000}, "what the biases of all hidden layers begin with");
  }
};

// The percentage of hidden units that are active for none of the images.
double dead(Sequential& net, const Tensor& images) {
  double units = 0, never = 0;
  inspect(net, images, Mode::probe, [&](const LayerIO& s) {
    if (s.layer.describe() != "relu") return;
    for (double active : sum_rows(step(s.y)).values()) never += active == 0, ++units;
  });
  return 100 * never / units;
}

void run(Lab& lab, const Parameters& p) {
  const DataSplit& data = lab.images();
  const Normalization pixels = measure(data.train);
  const Batch test = first(data.test, pixels, 1000);
  const int64_t every = lab.quick_or_full(25, 100);
  std::vector<double> found[4];  // dead units and accuracy at the end, without and with
  Series curves[] = {{"without", {}, {}, 1}, {"with batch norm", {}, {}, 2}};
  for (uint64_t seed : lab.seeds())
    for (size_t with : {0, 1}) {
      Random random(seed);
      const auto net = std::make_unique<Sequential>(Flatten());
      for (int64_t in : {784, 100}) {
        auto dense = std::make_unique<Dense>(in, 100, random);
        dense->bias.copy_from(Tensor::full({100}, p.bias));
        net->add(std::move(dense));
        if (with) net->add(std::make_unique<BatchNorm>(100));
        net->add(std::make_unique<Relu>());
      }
      net->add(std::make_unique<Dense>(100, 10, random));
      Batches batches(data.train, pixels, 64, seed);
      for (int64_t at = 0; at <= 8 * every; at += every) {
        if (at) train(*net, batches, {.lr = .1}, every);
        if (seed == 1) curves[with].x.push_back(static_cast<double>(at)), curves[with].y.push_back(dead(*net, test.x));
      }
      found[with].push_back(dead(*net, test.x));
      found[2 + with].push_back(accuracy(*net, test));
    }
  lab.between("A3.11", "without: per cent of units that are dead at the end, at least 90", 90, 100, found[0], true);
  lab.between("A3.11", "and it only guesses, accuracy at most 0.2", 0, .2, found[2], true);
  lab.between("A3.11", "with batch norm: per cent that are dead, at most 5", 0, 5, found[1], true);
  lab.between("A3.11", "and it learns, accuracy at least 0.7", .7, 1, found[3], true);
  lab.figure(
      {{.title = "Units that no image activates",
        .x_label = "step (lr 0.1, batch 64)",
        .y_label = "% of 200 hidden ReLUs",
        .series = {curves[0], curves[1]}}},
      {.shows = fmt::format("A 784-100-100-10 network with ReLUs on Fashion-MNIST, whose hidden biases all begin "
                            "with {}: the share of units that are 0 for all of 1000 test images, against the "
                            "training step (seed 1).",
                            p.bias),
       .predicted =
           "A ReLU that is always 0 gets no gradient, and stays 0. Batch norm removes the bias before the ReLU.",
       .seen = fmt::format("At the end {:.0f} % are dead without and {:.0f} % with batch norm; accuracy {:.2f} "
                           "and {:.2f}.",
                           found[0][0], found[1][0], found[2][0], found[3][0])});
}

}  // namespace

extern const Experiment alive{
    "alive",
    "Gradient flow",
    "Can ReLUs that are dead come back to life?",
    "Without batch normalisation they stay dead, and the network guesses; with it they are never dead.",
    "With biases of -10 the plain network's ReLUs are dead and stay dead; after batch normalisation, which removes the "
    "bias, nearly all of them work.",
    run,
    {"Begin with biases of 0: is any unit dead at the end without batch norm?", "bias=0", "without: per cent", 0, 30,
     "Few are: He's weights with biases of 0 are a good start. Batch norm keeps this good state."}};

}  // namespace evenkeel::lab
