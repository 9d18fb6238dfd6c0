#include "optim/clip.h"
#include "optim/sgd.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

Tensor numbers(const std::vector<real>& v) { return Tensor::of({static_cast<int64_t>(v.size())}, v); }
double norm(const Tensor& w) { return std::sqrt(dot(w, w).item()); }

}  // namespace

TEST_CASE("sgd: three steps of every form, against the recurrences written out") {
  const double lr = 0.1, wd = 0.05;
  for (double momentum : {0.0, 0.9})
    for (bool nesterov : {false, true}) {
      if (nesterov && momentum == 0) continue;
      double w = 2, v = 0;
      Tensor value = numbers({2});
      Sgd sgd({{"w", value, true}}, {.lr = lr, .momentum = momentum, .weight_decay = wd, .nesterov = nesterov});
      for (double g : {0.5, -1.0, 3.0}) {
        const double d = g + wd * w;
        v = momentum * v + d;
        w -= lr * (nesterov ? d + momentum * v : v);
        sgd.step({numbers({g})});
        CHECK(value.item() == doctest::Approx(w).epsilon(1e-15));
      }
      REQUIRE(sgd.state().size() == (momentum > 0));
      if (momentum > 0) {
        CHECK(sgd.state()[0].name == "velocity.w");
        CHECK(sgd.state()[0].value.item() == doctest::Approx(v).epsilon(1e-15));
      }
    }
}

TEST_CASE("sgd: decay leaves parameters alone that say no, unless told otherwise") {
  for (bool all : {false, true}) {
    const Tensor weight = numbers({1}), gamma = numbers({1});
    Sgd sgd({{"weight", weight, true}, {"gamma", gamma, false}}, {.lr = 0.5, .weight_decay = 0.1, .decay_all = all});
    sgd.step({numbers({0}), numbers({0})});
    CHECK(weight.item() == doctest::Approx(0.95).epsilon(1e-15));
    CHECK(gamma.item() == doctest::Approx(all ? 0.95 : 1).epsilon(1e-15));
  }
}

TEST_CASE(
    "sgd: without momentum decay in the gradient and decay of the weight are one; the text-book lambda is half of "
    "ours") {
  const Tensor w0 = random({5}), g = random({5});
  const double lr = 0.2, wd = 0.03;
  const Tensor w = w0.clone();
  Sgd({{"w", w, true}}, {.lr = lr, .weight_decay = wd}).step({g});
  CHECK(difference(w, w0 * (1 - lr * wd) - lr * g) < 1e-15);
  Tensor p = w0.clone().track();  // the penalty lambda ||w||^2
  const Tensor penalised = grad(dot(p, g) + wd / 2 * dot(p, p), {p})[0];
  const Tensor w2 = w0.clone();
  Sgd({{"w", w2, true}}, {.lr = lr}).step({penalised});
  CHECK(difference(w2, w) < 1e-15);
}

TEST_CASE("sgd: a scale-invariant weight comes to rest at ||w||^4 = lr G^2 / (2 wd - lr wd^2)") {
  const double lr = 0.1, wd = 5e-3, g = 1;  // the gradient is orthogonal to w and of length G / ||w||
  for (double start : {1.0, 5.0}) {
    const Tensor w = numbers({start, 0});
    Sgd sgd({{"w", w, true}}, {.lr = lr, .weight_decay = wd});
    for (int t = 0; t < 15000; ++t) {
      const double a = w.data()[0], b = w.data()[1], n2 = a * a + b * b;
      sgd.step({numbers({-b * g / n2, a * g / n2})});
    }
    CHECK(std::pow(norm(w), 4) == doctest::Approx(lr * g * g / (2 * wd - lr * wd * wd)).epsilon(1e-9));
  }
}

TEST_CASE("sgd: before batch norm, decay is a learning rate that grows: (lr, wd) is (lr (1 - lr wd)^(-2t-1), 0)") {
  const double lr = 0.1, wd = 0.02;
  Random own(3);  // whatever other tests have drawn
  const Tensor x = Tensor::normal({12, 4}, own);
  const Labels labels{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
  Tensor decayed = Tensor::normal({4, 3}, own).track(), scheduled = decayed.clone().track();
  Sgd with({{"w", decayed, true}}, {.lr = lr, .weight_decay = wd}), without({{"w", scheduled, true}}, {.lr = lr});
  auto loss = [&](const Tensor& w) {
    return cross_entropy(batch_norm(matmul(x, w), Tensor::full({3}, 1), Tensor::zeros({3}), 0).y, labels);
  };
  double before = loss(decayed).item(), worst = 0;
  for (int t = 0; t < 300; ++t) {
    const Tensor a = loss(decayed), b = loss(scheduled);
    worst = std::max(worst, std::abs(static_cast<double>(a.item() - b.item())));
    with.step(grad(a, {decayed}));
    without.set_lr(lr * std::pow(1 - lr * wd, -2 * t - 1));
    without.step(grad(b, {scheduled}));
  }
  CHECK(worst < 1e-12);
  CHECK(loss(decayed).item() < before - 0.1);
  CHECK(norm(scheduled) > 1.5 * norm(decayed));
}

TEST_CASE("sgd: without decay a scale-invariant weight grows by lr^2 ||g||^2 and never shrinks") {
  const Tensor x = random({8, 3});
  Tensor w = random({3, 2}).track();
  Sgd sgd({{"w", w, true}}, {.lr = 0.5});
  for (int t = 0; t < 20; ++t) {
    const double before = dot(w, w).item();
    const Tensor y = batch_norm(matmul(x, w), Tensor::full({2}, 1), Tensor::zeros({2}), 0).y;
    const Grads g = grad(cross_entropy(y, {0, 1, 1, 0, 0, 1, 1, 0}), {w});
    sgd.step(g);
    CHECK(dot(w, w).item() - before == doctest::Approx(0.25 * dot(g[0], g[0]).item()).epsilon(1e-9));
  }
}

TEST_CASE("sgd: gradients are not written to, neither by a step nor by clipping") {
  const Tensor g = numbers({3, 4}), w = numbers({1, 1});
  Sgd sgd({{"w", w, true}}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
  sgd.step({g});
  sgd.step({g});
  Grads clipped{g, numbers({12})};
  CHECK(clip_by_global_norm(clipped, 6.5) == doctest::Approx(13).epsilon(1e-15));
  CHECK(g.values() == std::vector<real>{3, 4});
  CHECK(difference(clipped[0], numbers({1.5, 2})) < 1e-15);
  CHECK(clipped[1].item() == doctest::Approx(6).epsilon(1e-15));
  CHECK(clip_by_global_norm(clipped, 7) == doctest::Approx(6.5).epsilon(1e-15));
  CHECK(clipped[1].item() == doctest::Approx(6).epsilon(1e-15));
  Grads broken{numbers({NAN, 1})};
  CHECK(std::isnan(clip_by_global_norm(broken, 1)));
  CHECK(broken[0].data()[1] == 1);
}

TEST_CASE("sgd says what it needs") {
  const Parameter p{"layer.weight", numbers({1, 2}), true};
  CHECK_THROWS_WITH_AS(Sgd({p}, {.lr = -1}), doctest::Contains("learning rate"), Error);
  CHECK_THROWS_WITH_AS(Sgd({p}, {.momentum = 1}), doctest::Contains("must be a number from 0 to below 1, got 1"),
                       Error);
  CHECK_THROWS_WITH_AS(Sgd({p}, {.weight_decay = -1}), doctest::Contains("sgd: weight_decay (adds weight_decay w"),
                       Error);
  CHECK_THROWS_WITH_AS(Sgd({p}, {.nesterov = true}), doctest::Contains("needs momentum"), Error);
  CHECK_THROWS_WITH_AS(Sgd({p}).step({}), doctest::Contains("1 parameters need as many gradients, got 0"), Error);
  CHECK_THROWS_WITH_AS(Sgd({p}).step({numbers({1})}),
                       doctest::Contains("layer.weight must have its shape (2), got (1)"), Error);
  CHECK_THROWS_WITH_AS(Sgd({p}).step({Tensor()}), doctest::Contains("got none"), Error);
}

TEST_CASE("clip_by_global_norm in double: gradients whose squares are beyond a double, or below it") {
  for (const double size : {1e300, 1e160, 1e-170, 1e-300}) {
    CAPTURE(size);
    Grads grads{numbers({3 * size}), numbers({4 * size, 12 * size})};
    CHECK(clip_by_global_norm(grads, 6.5 * size) / size == doctest::Approx(13).epsilon(1e-14));
    CHECK(grads[1].data()[1] / size == doctest::Approx(6).epsilon(1e-14));
  }
}
