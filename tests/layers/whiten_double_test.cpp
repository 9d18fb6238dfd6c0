#include <doctest/doctest.h>

#include <cmath>

#include "layers/activation.h"
#include "layers/norm/batch_norm.h"
#include "layers/whiten.h"
#include "tests/check_layer.h"

using namespace evenkeel;

namespace {

// Images whose channels and neighbours depend on each other.
Tensor correlated(int64_t n) {
  Random random(7);
  const Tensor noise = Tensor::normal({n, 9, 8, 2}, random);
  Tensor x = Tensor::zeros({n, 9, 8, 2});
  for (int64_t i = 0; i < x.size(); ++i)
    x.mutable_data()[i] =
        noise.data()[i] + (i >= 2 ? 0.7 * x.data()[i - 2] : 0) + (i % 2 ? 2 * noise.data()[i - 1] : 0);
  return x;
}

}  // namespace

TEST_CASE("whiten: gradients, names, copies, saving, modes; its filters are not trained") {
  check_layer(Whiten(2, 2), Shape{2, 5, 4, 2});
  Whiten whiten(2, 2);
  REQUIRE(parameters(whiten).size() == 1);
  CHECK(parameters(whiten)[0].name == "bias");
}

TEST_CASE("whiten: on what it measured its outputs have the moments of white noise, each with both signs") {
  const Tensor x = correlated(40);
  for (const int64_t size : {1, 2, 3}) {
    Whiten whiten(2, size, 1e-12);
    whiten.fit(x);
    const Tensor y = whiten.forward(x, Mode::eval);
    const int64_t n = 2 * size * size;  // values of a patch
    REQUIRE(y.channels() == 2 * n);
    double last = 1e300;
    for (int64_t a = 0; a < n; ++a) {
      for (int64_t b = 0; b <= a; ++b) {
        double moment = 0;
        for (int64_t i = 0; i < y.rows(); ++i) moment += y.data()[i * 2 * n + a] * y.data()[i * 2 * n + b];
        CHECK(moment / static_cast<double>(y.rows()) == doctest::Approx(a == b ? 1 : 0).epsilon(1e-9));
      }
      double length = 0;  // 1 / sqrt(eigenvalue), which grows from filter to filter
      for (int64_t j = 0; j < n; ++j) {
        const double w = whiten.weight.data()[a * n + j];
        length += w * w;
        CHECK(whiten.weight.data()[(n + a) * n + j] == -w);
      }
      CHECK((a == 0 || length >= last));
      last = length;
    }
  }
}

TEST_CASE("whiten: eps is added to each eigenvalue") {
  // Two channels, independent, of second moments 4 and 1.
  const Tensor x = Tensor::of({1, 2, 2, 2}, {2, 1, 2, -1, -2, 1, -2, -1});
  Whiten whiten(2, 1, 0.5);
  whiten.fit(x);
  CHECK(std::abs(whiten.weight.data()[0]) == doctest::Approx(1 / std::sqrt(4.5)));
  CHECK(whiten.weight.data()[1] == doctest::Approx(0));
  CHECK(std::abs(whiten.weight.data()[3]) == doctest::Approx(1 / std::sqrt(1.5)));
}

TEST_CASE("fit_whitening: on what the layers in front make of the images, which are asked for once, if at all") {
  Random random(1);
  int asked = 0;
  const auto images = [&] { return ++asked, correlated(10); };
  Sequential none(Conv2d(2, 3, 3, {}, random));
  fit_whitening(none, images);
  CHECK(asked == 0);
  Sequential network(Relu(), Whiten(2, 2), Relu());
  fit_whitening(network, images);
  CHECK(asked == 1);
  Whiten alone(2, 2);
  alone.fit(relu(correlated(10)));
  CHECK(dynamic_cast<Whiten&>(network[1]).weight.values() == alone.weight.values());
  // A norm in front normalises with the images' statistics: it has no others yet.
  Sequential normed(BatchNorm(2), Whiten(2, 2));
  fit_whitening(normed, images);
  alone.fit(normed[0].forward(correlated(10), Mode::probe).detach());
  CHECK(dynamic_cast<Whiten&>(normed[1]).weight.values() == alone.weight.values());
}
