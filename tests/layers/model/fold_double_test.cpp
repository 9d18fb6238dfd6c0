// Folding batch normalisations into weights: inference computes the same.
#include <doctest/doctest.h>

#include "layers/model/checkpoint.h"
#include "layers/model/fold.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"

using namespace evenkeel;

TEST_CASE("folded, a network computes the same in inference, and its description builds it again") {
  struct Case {
    std::string model;
    int folded;
  };
  for (const auto& [model_, folded] :
       {Case{"conv:4:3 norm act residual(conv:4:3 norm act conv:4:3 norm) act flatten dense:5 norm act dense:classes",
             4},
        Case{"conv:4:3 norm act residual(conv:6:3:stride=2 norm) global_avgpool dense:classes", 2},
        // What describe() must not lose, and a bias that could not be described.
        Case{"conv:4:3:pad=0 norm group:2:eps=0.5 conv:3:1:stride=2 batch:eps=0.3 act global_avgpool dense:classes "
             "norm act",
             3},
        Case{"conv:4:3 norm act conv:4:3:groups=4 norm act conv:6:1:groups=2 norm global_avgpool dense:classes", 3},
        Case{"conv:4:3 norm instance act global_avgpool dense:classes", 0},
        // A normalisation at the start or after pooling stays; one after another goes with it.
        Case{"norm conv:4:3 maxpool:3:stride=1:pad=1 norm avgpool:2 conv:3:1 norm norm flatten dense:classes", 2}}) {
    const auto& model = model_;
    CAPTURE(model);
    ModelOptions options{.model = model, .input = {6, 6, 2}, .classes = 3};
    const auto network = make_model(options);
    Random random(3);
    for (const Parameter& p : parameters(*network))
      Tensor(p.value).copy_from(Tensor::normal(p.value.shape(), random, 0.1, 0.5));
    for (int t = 0; t < 3; ++t) network->forward(Tensor::normal({8, 6, 6, 2}, random, 0.5, 2), Mode::train);
    const Tensor x = Tensor::normal({4, 6, 6, 2}, random), before = network->forward(x, Mode::eval);
    CHECK(fold_batch_norms(*network) == folded);
    CHECK(fold_batch_norms(*network) == 0);
    const Tensor after = network->forward(x, Mode::eval);
    for (int64_t i = 0; i < before.size(); ++i)
      CHECK(after.data()[i] == doctest::Approx(before.data()[i]).epsilon(1e-12));

    options.model = network->describe();
    CHECK(make_model(options)->describe() == network->describe());
    const auto again = make_model(options);
    restore(*again, capture(*network));
    CHECK(again->forward(x, Mode::eval).values() == after.values());
  }
}
