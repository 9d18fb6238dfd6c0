// Shared by the experiments that train: a network from a spec, an endless stream of batches, accuracy.
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

// Labelled points, for experiments that need no images; the same on every machine. A class is a normal distribution
// around its centre. All values together have mean 0 and variance 1, of which `apart` is the variance of the centres.
class Points {
 public:
  Points(int64_t dimensions, int64_t classes, double apart, uint64_t seed)
      : random_(Random(seed).split("points")),
        centres_(Tensor::normal({classes, dimensions}, random_, 0, std::sqrt(apart))),
        spread_(std::sqrt(1 - apart)) {}
  Batch draw(int64_t count);

 private:
  Random random_;
  Tensor centres_;
  double spread_;
};

struct Step {
  int64_t number;  // 0, 1, ...
  double loss;     // before it
  const Batch& batch;
  const Grads& gradients;
};

// Steps of SGD; calls `before` in each step before the weights change. Stops and returns false if the loss is not
// finite.
bool train(
    Sequential& net, const std::function<Batch()>& next, const SgdOptions& options, int64_t steps,
    const std::function<void(const Step&)>& before = [](const Step&) {});
bool train(
    Sequential& net, Batches& batches, const SgdOptions& options, int64_t steps,
    const std::function<void(const Step&)>& before = [](const Step&) {});

double accuracy(Layer& net, const Batch& batch, Mode mode = Mode::eval);

}  // namespace evenkeel::lab
