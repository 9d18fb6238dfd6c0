#include <evenkeel/practice.h>

using namespace evenkeel;

double update(double running, double batch, double momentum);
double from_keras(double keras_momentum);

namespace {

// The variance of the average, over that of the values: of 20,000 independent ones.
double variance_ratio(double momentum) {
  Random random(13);
  const std::vector<double> values = Tensor::normal({20000}, random).values();
  double running = 0, of_values = 0, of_average = 0;
  for (size_t t = 0; t < values.size(); ++t) {
    running = update(running, values[t], momentum);
    of_values += values[t] * values[t];
    of_average += running * running;
  }
  return of_average / of_values;
}

}  // namespace

void grade(evenkeel::practice::Grade& g) {
  g.law("constant",
        "With momentum 0.1, from 0, batches whose mean is 1 move the average to 0.1, 0.19, 0.271 ...: slowly.",
        "double update");
  g.given("momentum", 0.1);
  double running = 0, left = 1;
  for (int t = 1; t <= 10; ++t) {
    running = update(running, 1, 0.1);
    left *= 0.9;
    g.equal("average after batch " + std::to_string(t), 1 - left, running);
  }

  g.law("noise",
        "An average exists to be calm: independent values of variance 1 give it the variance a / (2 - a), where a is "
        "the momentum.",
        "double update");
  for (double a : {0.1, 0.01}) {
    g.given("momentum", a);
    g.equal("variance of the average", a / (2 - a), variance_ratio(a), a < 0.05 ? 0.4 : 0.15);
  }

  g.law("last",
        "With momentum 0.9 little of the old average is left: PyTorch's rule holds for every momentum from 0 to 1.",
        "double update");
  g.given("old average, batch", {2, 10});
  for (double momentum : {0.9, 1.0, 0.0, 0.5}) {
    g.given("momentum", momentum);
    g.equal("new average", 2 + 8 * momentum, update(2, 10, momentum));
  }

  g.law("keras", "A layer that comes from Keras averages as it did in Keras.", "double from_keras");
  for (double keras : {0.99, 0.9, 0.3}) {
    double theirs = 0, ours = 0;
    std::vector<double> batches{1, 3, -2, 10};
    g.given("Keras momentum", keras);
    g.given("batches", batches);
    for (double batch : batches) {
      theirs = keras * theirs + (1 - keras) * batch;
      ours = update(ours, batch, from_keras(keras));
    }
    g.equal("average after four batches", theirs, ours);
  }
}
