// What layers, specs and optimisers refuse: the first value beyond each limit, with the reason, and the last one within
// it.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/model/fold.h"
#include "layers/model/inspect.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/group_norm.h"
#include "layers/norm/layer_norm.h"
#include "layers/norm/recalibrate.h"
#include "layers/pooling.h"
#include "layers/whiten.h"
#include "optim/clip.h"
#include "optim/curvature/eigenvalue.h"
#include "optim/curvature/movement.h"
#include "optim/muon.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

template <class F>
void refused(F f, const char* reason) {
  CHECK_THROWS_WITH_AS(f(), doctest::Contains(reason), Error);
}

}  // namespace

TEST_CASE("normalisations refuse numbers out of their ranges") {
  const auto batch = [](const BatchNormOptions& o) { return [o] { BatchNorm(3, o); }; };
  refused(batch({.eps = 0}), "batch: eps (inside the root) must be a number from 1e-30 to 1, got 0");
  refused(batch({.eps = -1}), "got -1");
  refused(
      batch({.new_weight = 0}),
      "batch: new (weight of the new value in the running averages: PyTorch's momentum, 1 - Keras') must be a number "
      "from 1e-09 to 1, got 0");
  refused(batch({.new_weight = 1.001}), "got 1.001");
  refused(batch({.ghost = -1}), "must be a number from 0 to 1048576, got -1");
  batch({.eps = real(1e-30), .new_weight = 1})();
  const auto renorm = [](const BatchRenormOptions& o) { return [o] { BatchRenorm(3, o); }; };
  refused(renorm({.eps = 0}),
          "renorm: eps (inside the root: sigma_B = sqrt(var_B + eps)) must be a number from 1e-30 to 1, got 0");
  refused(renorm({.new_weight = 0}), "renorm: new (weight of the new value in the running averages) must be");
  refused(renorm({.new_weight = 1.001}), "got 1.001");
  refused(renorm({.r_max = 0.999}), "renorm: rmax (the largest r) must be a number from 1 to 1e+30, got 0.999");
  refused(renorm({.d_max = -0.001}), "renorm: dmax (the largest d) must be a number from 0 to 1e+30, got -0.001");
  renorm({.new_weight = 1, .r_max = 1, .d_max = 0})();
  refused([] { GroupNorm(4, 2, 0); }, "group: eps (inside the root) must be a number from 1e-30 to 1, got 0");
  refused([] { GroupNorm(4, 0); }, "group_norm: 4 channels cannot be cut into 0 groups");
  refused([] { InstanceNorm(4, -1); }, "instance: eps (inside the root) must be a number from 1e-30 to 1, got -1");
  refused([] { LayerNorm(4, 0); }, "layer: eps (inside the root) must be a number from 1e-30 to 1, got 0");
  Random random(1);
  Dense dense(4, 2, random);
  refused([&] { dense.forward(Tensor::zeros({3, 5}), Mode::eval); }, "dense: x must be (N, 4), got (3, 5)");
  refused([&] { dense.forward(Tensor::zeros({3, 1, 1, 4}), Mode::eval); }, "dense: x must be (N, 4), got (3, 1, 1, 4)");
}

TEST_CASE("norms refuse inputs of other channels, and batches without a variance") {
  const Tensor wide = Tensor::full({5, 4}, 1);
  refused([&] { BatchRenorm(3).forward(wide, Mode::train); },
          "batch_renorm: x (5, 4) needs gamma and beta (4), got (3)");
  refused([&] { BatchNorm(4, {.ghost = 1}).forward(wide, Mode::train); },
          "batch_norm: a ghost batch of one value per channel has no variance, x is (5, 4) in 5 ghost batches");
  const Tensor one = Tensor::full({4}, 1);
  refused([&] { group_norm_definition(wide, 0, one, one); }, "4 channels cannot be cut into 0 groups");
  refused([&] { group_norm_definition(wide, 3, one, one); }, "4 channels cannot be cut into 3 groups");
  refused([&] { group_norm_definition(Tensor::zeros({0, 4}), 2, one, one); }, "x must have values");
}

TEST_CASE("running norms refuse statistics that no rows have, or of other channels, and keep those they have") {
  BatchNorm batch(2);
  BatchRenorm renorm(2);
  const Tensor mean = Tensor::full({2}, 3), var = Tensor::full({2}, 4), three = Tensor::full({3}, 1);
  for (RunningNorm* norm : {static_cast<RunningNorm*>(&batch), static_cast<RunningNorm*>(&renorm)}) {
    CAPTURE(norm->describe());
    refused([&] { norm->set_statistics(mean, var, 1); }, "needs a finite population of at least two rows, got 1");
    refused([&] { norm->set_statistics(mean, var, NAN); }, "at least two rows, got nan");
    refused([&] { norm->set_statistics(mean, var, INFINITY); }, "at least two rows, got inf");
    refused([&] { norm->set_statistics(three, var, 5); }, "a mean and a variance of shape (2), got (3) and (2)");
    refused([&] { norm->set_statistics(mean, three, 5); }, "a mean and a variance of shape (2), got (2) and (3)");
    const real nan = NAN, infinity = INFINITY, largest = std::numeric_limits<real>::max();
    for (const real bad : {nan, infinity, -infinity, real(-1e-9), largest}) {
      const std::string reason = fmt::format("finite variances of 0 or more, got 3 and {} in channel 1", bad);
      refused([&] { norm->set_statistics(mean, Tensor::of({2}, {4, bad}), 2); }, reason.c_str());
    }
    for (const real bad : {nan, infinity, -infinity}) {
      const std::string reason =
          fmt::format("needs finite means, and finite variances of 0 or more, got {} and 4", bad);
      refused([&] { norm->set_statistics(Tensor::of({2}, {bad, 3}), var, 2); }, reason.c_str());
    }
    CHECK(norm->running_mean.values() == std::vector<real>{0, 0});
    CHECK(norm->running_weight.item() == 0);
    norm->set_statistics(mean, var, 2);
    CHECK(norm->running_mean.values() == mean.values());
  }
}

TEST_CASE("layers refuse sizes that do not fit together") {
  Random random(1);
  const auto conv = [&](int64_t channels, int64_t filters, int64_t groups) {
    return [=, &random] { Conv2d(channels, filters, 3, {.groups = groups}, random); };
  };
  refused(conv(10, 8, 4), "conv2d: the groups must divide channels and filters, got 4 groups, 10 channels and 8");
  refused(conv(8, 10, 4), "got 4 groups, 8 channels and 10 filters");
  refused(conv(8, 8, 0), "got 0 groups");
  conv(8, 12, 4)();
  refused([&] { Conv2d(8, 8, 3, {.stride = 0}, random); }, "stride must be at least 1 and padding 0 to 2^58, got 0");
  refused([&] { Conv2d(8, 8, 0, {}, random); }, "the kernel of 0 x 0 must fit");
  Sequential other{Dense(2, 8, random), BatchNorm(3)}, none{Dense(2, 0, random), BatchNorm(0)};
  refused([&] { fold_batch_norms(other); }, "fold: a layer with 8 outputs is followed by batch, a norm of 3 channels");
  CHECK(fold_batch_norms(none) == 1);
  refused([] { Whiten(1, 2).fit(Tensor::zeros({0, 3, 3, 1})); }, "whiten: needs at least one patch, x is (0, 3, 3, 1)");
  refused([] { Whiten(1, 2, 0); }, "whiten: eps must be above 0, got 0");
  CHECK(Flatten().forward(Tensor::zeros({0, 4, 3, 2}), Mode::eval).shape() == Shape{0, 24});
}

TEST_CASE("a spec refuses arguments that are no such thing, out of range, or there twice") {
  const auto model = [](const std::string& text, int64_t classes = 3, const Shape& input = {4, 4, 2}) {
    return [=] { make_model({.model = text + " flatten dense:classes", .input = input, .classes = classes}); };
  };
  refused(model("conv:4"), "model: conv needs its size");
  refused(model("conv"), "model: conv needs its filters");
  refused(model("conv:0:3"), "conv's filters must be a number from 1 to 1048576, got '0'");
  refused(model("conv:4:3:stride=0"), "conv's stride must be a number from 1 to 1024, got '0'");
  refused(model("conv:4:3:2:stride=2"), "conv's stride is given twice");
  refused(model("conv:4:3:stride=2:stride=2"), "conv's stride is given twice");
  refused(model("conv:4:3:groups=3"), "model: conv: groups must divide the channels and the filters, got 3 groups, ");
  refused(model("conv:3:3:groups=2"),
          "model: conv: groups must divide the channels and the filters, got 2 groups, 2 channels and 3 filters");
  refused(model("flatten conv:4:3"), "model: conv needs an image (H, W, C), got (32)");
  refused(model("flatten maxpool"), "model: maxpool needs an image (H, W, C), got (32)");
  refused(model("flatten avgpool"), "model: avgpool needs an image");
  refused(model("maxpool:3:pad=2"), "maxpool's pad must be a number from 0 to 1, got '2'");
  refused(model("batch:average=often"), "batch's average must be one of exponential, cumulative, got 'often'");
  refused(model("batch:affine=yes"), "batch's affine must be one of off, on, got 'yes'");
  refused(model("batch:new=0"),
          "batch's new (weight of the new value in the running averages: PyTorch's momentum, 1 - Keras') must be a "
          "number from 1e-09 to 1, got '0'");
  refused(model("batch:eps=1.5"), "batch's eps (inside the root) must be a number from 1e-30 to 1, got '1.5'");
  refused(model("batch:eps=nan"), "got 'nan'");
  refused(model("group:3"), "2 channels cannot be cut into 3 groups");
  refused(model("dropout:1"), "dropout's probability must be a number from 0 to 0.999, got '1'");
  refused(model("norm", 0), "model: classes must be 1 to 1000000, got 0");
  refused(model("norm", 1'000'001), "got 1000001");
  refused(model("norm", 3, {4, 4}), "model: the input must be (H, W, C)");
  refused(model("norm", 3, {4, 0, 2}), "model: the input must be (H, W, C)");
  refused([] { make_model({.model = "flatten 3:4"}); }, "no layer is called '3'");
  refused([] { make_model({.model = "flatten 2*:4 dense:classes"}); }, "no layer is called ''");
  refused([] { make_model({.model = "flatten 2* dense:classes"}); }, "a layer's name is missing, at character 11");
  refused([] { make_model({.model = "mlp:"}); }, "model: mlp is written mlp or mlp:WIDTH-WIDTH..., got 'mlp:'");
  model("conv:4:3:stride=4:pad=3 batch:new=1:eps=1 dropout:0.999", 1)();
}

TEST_CASE("instruments refuse what has no answer") {
  const auto net = make_model({.model = "flatten norm dense:classes", .input = {1, 1, 2}, .classes = 2});
  const Tensor x = Tensor::of({2, 1, 1, 2}, {1, 2, 3, 5});
  refused([&] { inspect(*net, x, Mode::train, [](const LayerIO&) {}); },
          "inspect: in train mode the running averages would move");
  refused([&] { percentiles(x, {0.5, 1.001}); }, "percentiles: shares are from 0 to 1, got 1.001");
  refused([&] { percentiles(x, {-0.001}); }, "got -0.001");
  refused([] { percentiles(Tensor::zeros({0, 2}), {0.5}); }, "percentiles: x must have values");
  CHECK(percentiles(x, {0, 1}).values() == std::vector<real>{1, 2, 3, 5});
  const real infinity = std::numeric_limits<real>::infinity();
  CHECK(percentiles(Tensor::of({2, 1}, {infinity, 1}), {0, 1}).values() == std::vector<real>{1, infinity});
  for (real v : percentiles(Tensor::of({3, 1}, {1, NAN, 0}), {0, 0.5, 1}).values()) CHECK(std::isnan(v));
  const auto one_row = [&](const std::function<void(const Tensor&)>& see) { see(Tensor::of({1, 1, 1, 2}, {1, 2})); };
  refused([&] { recalibrate(*net, one_row); },
          "recalibrate: norm 1 must see at least two values a channel, got 1; give more images");
}

TEST_CASE("optimisers and curvature refuse what is no step, no rate and no direction") {
  const real inf = std::numeric_limits<real>::infinity();
  Tensor w = Tensor::of({2}, {1, 2}).track();
  const std::vector<Parameter> one{{"w", w, true}};
  const auto sgd = [&](const SgdOptions& o) { return [&one, o] { Sgd(one, o); }; };
  refused(sgd({.lr = -1}), "optimizer: the learning rate must be finite and not negative, got -1");
  refused(sgd({.lr = inf}), "got inf");
  refused(sgd({.lr = NAN}), "got nan");
  refused(sgd({.lr = 1, .momentum = 1}),
          "sgd: momentum (v <- momentum v + gradient; w <- w - lr v) must be a number from 0 to below 1, got 1");
  refused(sgd({.lr = 1, .momentum = real(-0.5)}), "got -0.5");
  refused(sgd({.lr = 1, .weight_decay = real(-0.5)}), "must be a number from 0 to 1000000000, got -0.5");
  refused(sgd({.lr = 1, .momentum = 0, .nesterov = true}), "sgd: Nesterov's form needs momentum, which is 0");
  sgd({.lr = 0, .momentum = 0, .weight_decay = 0})();
  Sgd good(one, {.lr = 1});
  refused([&] { good.set_lr(-1); }, "the learning rate must be finite");
  refused([&] { good.step({}); }, "optimizer: 1 parameters need as many gradients, got 0");
  refused([&] { good.step({Tensor::zeros({3})}); }, "optimizer: the gradient of w must have its shape (2), got (3)");
  refused([&] { good.step({Tensor()}); }, "optimizer: the gradient of w must have its shape (2), got none");
  CHECK(w.values() == std::vector<real>{1, 2});
  refused([&] { Sgd({}, {}).step({}); }, "optimizer: has no parameters to update");
  refused([&] { Muon({}).step({}); }, "optimizer: has no parameters to update");
  refused(
      [&] {
        Sgd({{"w", w, true}, {"b", Tensor::zeros({1}), true}, {"again", w, true}}, {});
      },
      "optimizer: w and again are one tensor");
  refused([] { Sgd({{"b", Tensor(), true}}, {}); }, "optimizer: the parameter b is undefined");
  refused(
      [&] {
        Sgd({{"u", w * real(2), true}}, {});
      },
      "optimizer: u is the result of an op, so that a step would not move what it was computed from; give the "
      "optimiser the leaves, which track() marks");
  Sgd({{"w", Tensor::zeros({0}), true}, {"b", Tensor::zeros({0}), true}}, {})
      .step({Tensor::zeros({0}), Tensor::zeros({0})});
  Grads g{Tensor::zeros({2})};
  refused([&] { clip_by_global_norm(g, 0); }, "clip_by_global_norm: the largest norm must be positive, got 0");
  refused([&] { clip_by_global_norm(g, -1); }, "got -1");

  Random random(1);
  const Objective f = [&] { return sum(square(w)); };
  refused([&] { hessian_vector_product(f, {w}, {}); }, "hessian: 1 parameters need as many vectors, got 0");
  refused([&] { hessian_vector_product(f, {w}, {Tensor::zeros({3})}); },
          "hessian: vector 0 must have its parameter's shape (2), got (3)");
  refused([&] { hessian_vector_product(f, {}, {}); }, "hessian: needs a parameter, got none");
  refused([&] { largest_eigenvalue(f, {}, random); }, "hessian: needs a parameter, got none");
  refused([&] { along_gradient(f, {w}, {0.1, 0}); }, "along_gradient: steps must be positive, got 0");
  CHECK(w.values() == std::vector<real>{1, 2});
  refused([&] { largest_eigenvalue(f, {w}, random, {.max_steps = 0}); },
          "largest_eigenvalue: needs at least one step, got 0");
  refused([&] { largest_eigenvalue([&] { return sum(square(w)) * inf; }, {w}, random); },
          "largest_eigenvalue: the Hessian is not finite here; check that the loss and its gradient are finite");
  refused([&] { angle(w, Tensor::zeros({3})); }, "angle: shapes must agree, got (2) and (3)");
  refused([&] { movements(one, {}, 1); }, "movements: needs a gradient for each of 1 parameters, got 0");
}
