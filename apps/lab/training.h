// What the experiments that train have in common: a network of a spec, batches without end, accuracy.
#pragma once
#include <functional>

#include "apps/lab/lab.h"
#include "layers/model/spec.h"
#include "optim/sgd.h"

namespace evenkeel::lab {

// A network for 28x28 images of ten classes.
std::unique_ptr<Sequential> network(const std::string& model, const std::string& norm, const std::string& activation,
                                    uint64_t seed, const std::string& init = "he");
// The same with weights of variance 1 / (3 fan_in), a sixth of He's: PyTorch's default, with which the statistical
// bands were found.
std::unique_ptr<Sequential> small_network(const std::string& model, const std::string& norm,
                                          const std::string& activation, uint64_t seed);

// The first `count` images of a set as one batch, by the training set's normalisation.
Batch first(const Dataset& data, const Normalization& normalization, int64_t count);

// Batches of a data set, epoch after epoch.
class Batches {
 public:
  Batches(const Dataset& data, const Normalization& normalization, int64_t size, uint64_t seed)
      : loader_(data, normalization, {.batch_size = size, .drop_last = true, .seed = seed, .background = false}) {}
  Batch next();

 private:
  Loader loader_;
  int64_t epoch_ = -1;
};

struct Step {
  int64_t number;  // 0, 1, ...
  double loss;     // before it
  const Batch& batch;
  const Grads& gradients;
};

// Plain steps of SGD; `before` sees each of them before the weights move. Stops early where the loss is not finite.
void train(
    Layer& net, Batches& batches, const SgdOptions& options, int64_t steps,
    const std::function<void(const Step&)>& before = [](const Step&) {});

double accuracy(Layer& net, const Batch& batch, Mode mode = Mode::eval);

}  // namespace evenkeel::lab
