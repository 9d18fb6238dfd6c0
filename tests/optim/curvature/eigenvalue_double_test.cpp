#include "optim/curvature/eigenvalue.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

// 1/2 w'Aw with A = Q diag(spectrum) Q', Q a reflection I - 2uu'.
struct Quadratic {
  explicit Quadratic(const std::vector<double>& spectrum)
      : n(static_cast<int64_t>(spectrum.size())), matrix(Tensor::empty({n, n})) {
    Tensor u = random({n});
    u = u / std::sqrt(dot(u, u).item());
    auto q = [&](int64_t i, int64_t j) { return (i == j) - 2 * u.data()[i] * u.data()[j]; };
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double s = 0;
        for (int64_t k = 0; k < n; ++k) s += q(i, k) * spectrum[k] * q(k, j);
        matrix.mutable_data()[i * n + j] = s;
      }
    w = random({n, 1}).track();
  }
  Tensor loss() const { return dot(w, matmul(matrix, w)) * 0.5; }
  int64_t n;
  Tensor matrix, w;
};

}  // namespace

TEST_CASE("hessian_vector_product: a quadratic's is A v; a linear function's is zero") {
  const Quadratic f({3, -1, 0.5, 7});
  const Tensor v = random({4, 1});
  CHECK(difference(hessian_vector_product([&] { return f.loss(); }, {f.w}, {v})[0].detach(), matmul(f.matrix, v)) <
        1e-14);
  const Tensor c = random({4, 1});
  CHECK(dot(hessian_vector_product([&] { return dot(f.w, c); }, {f.w}, {v})[0].detach(), v).item() == 0);
}

TEST_CASE(
    "hessian_vector_product through batch norm against differences of the gradient; H w = -gradient along "
    "scale-invariant w") {
  const Tensor x = random({9, 4});
  Tensor w = random({4, 3}).track(), gamma = random({3}).track(), beta = random({3}).track();
  const std::vector<Tensor> parameters{w, gamma, beta};
  const Labels labels{0, 1, 2, 0, 1, 2, 0, 1, 2};
  auto loss = [&] { return cross_entropy(batch_norm(matmul(x, w), gamma, beta, 0).y, labels); };
  const Grads v{random({4, 3}), random({3}), random({3})};
  const Grads product = hessian_vector_product(loss, parameters, v);
  auto gradient_at = [&](double h) {
    const Grads at{(w.detach() + v[0] * h).track(), (gamma.detach() + v[1] * h).track(),
                   (beta.detach() + v[2] * h).track()};
    return grad(cross_entropy(batch_norm(matmul(x, at[0]), at[1], at[2], 0).y, labels), at);
  };
  const Grads up = gradient_at(1e-5), down = gradient_at(-1e-5);
  for (size_t i = 0; i < 3; ++i)
    CHECK(difference(product[i].detach(), (up[i].detach() - down[i].detach()) / 2e-5) < 1e-8);

  const Grads along = hessian_vector_product(loss, parameters, {w.detach(), Tensor::zeros({3}), Tensor::zeros({3})});
  CHECK(difference(along[0].detach(), -grad(loss(), {w})[0].detach()) < 1e-13);
}

TEST_CASE("largest_eigenvalue finds the top of a known spectrum, with a residual that bounds the error") {
  std::vector<double> spectrum;
  for (int i = 0; i < 40; ++i) spectrum.push_back(-2 + 0.1 * i);  // up to 1.9
  spectrum[7] = 6.25;
  spectrum[20] = -9;  // larger in size, and not what is asked for
  const Quadratic f(spectrum);
  Random random(1);
  const Eigenvalue found = largest_eigenvalue([&] { return f.loss(); }, {f.w}, random, {.tolerance = 1e-10});
  CHECK(found.value == doctest::Approx(6.25).epsilon(1e-12));
  CHECK(found.residual <= 6.25e-10);
  CHECK(found.steps < 40);
  const Tensor u = found.vector[0];
  CHECK(dot(u, u).item() == doctest::Approx(1).epsilon(1e-12));
  CHECK(difference(matmul(f.matrix, u), 6.25 * u) < 1e-9);

  Random same(1);
  CHECK(largest_eigenvalue([&] { return f.loss(); }, {f.w}, same, {.tolerance = 1e-10}).value == found.value);
  Random few(2);
  const Eigenvalue early = largest_eigenvalue([&] { return f.loss(); }, {f.w}, few, {.max_steps = 4, .tolerance = 0});
  CHECK(early.steps == 4);
  double nearest = INFINITY;
  for (double s : spectrum) nearest = std::min(nearest, std::abs(early.value - s));
  CHECK(nearest <= early.residual);
  CHECK(early.value <= 6.25);
}

TEST_CASE("largest_eigenvalue ends where there is nothing more to find") {
  Random random(3);
  const Quadratic same({2, 2, 2}), one({-4}), negative({-3, -1, -2});
  CHECK(largest_eigenvalue([&] { return same.loss(); }, {same.w}, random).value == doctest::Approx(2).epsilon(1e-12));
  CHECK(largest_eigenvalue([&] { return one.loss(); }, {one.w}, random).value == doctest::Approx(-4).epsilon(1e-12));
  CHECK(largest_eigenvalue([&] { return negative.loss(); }, {negative.w}, random).value ==
        doctest::Approx(-1).epsilon(1e-9));
  const Tensor c = evenkeel::random({3, 1});
  CHECK(largest_eigenvalue([&] { return dot(same.w, c); }, {same.w}, random).value == 0);  // linear
}

TEST_CASE("largest_eigenvalue: a negative one converges as soon as a positive; two different ones take two steps") {
  std::vector<double> spectrum(40);
  for (size_t i = 0; i < 40; ++i) spectrum[i] = -10 - 0.01 * static_cast<double>(i);
  spectrum[5] = -1;
  const Quadratic negative(spectrum), two({2, 5, 2, 5, 5, 2, 5, 5});
  Random random(4);
  const Eigenvalue found = largest_eigenvalue([&] { return negative.loss(); }, {negative.w}, random);
  CHECK(found.value == doctest::Approx(-1).epsilon(1e-8));
  CHECK(found.steps < 10);
  const Eigenvalue exact = largest_eigenvalue([&] { return two.loss(); }, {two.w}, random, {.tolerance = 0});
  CHECK(exact.value == doctest::Approx(5).epsilon(1e-12));
  CHECK(exact.steps == 2);
}

TEST_CASE("curvature refuses what has none, and says why") {
  const Quadratic f({3, -1});
  Random random(5);
  CHECK_THROWS_WITH_AS(largest_eigenvalue([&] { return f.loss(); }, {f.w}, random, {.max_steps = 0}),
                       doctest::Contains("at least one step, got 0"), Error);
  CHECK_THROWS_WITH_AS(largest_eigenvalue([&] { return f.loss() * INFINITY; }, {f.w}, random),
                       doctest::Contains("the Hessian is not finite here"), Error);
  CHECK_THROWS_WITH_AS(hessian_vector_product([&] { return f.loss(); }, {f.w}, {}),
                       doctest::Contains("1 parameters need as many vectors, got 0"), Error);
}

TEST_CASE("jacobian: a matrix is its own, a constant has none, and a square's is on the diagonal") {
  const Tensor a = random({3, 2}), x = random({2, 1});
  CHECK(difference(jacobian([&](const Tensor& t) { return matmul(a, t); }, x), a) < 1e-15);
  CHECK(jacobian([](const Tensor& t) { return Tensor::zeros(t.shape()); }, x).values() == std::vector<real>(4));
  const Tensor j = jacobian([](const Tensor& t) { return square(t); }, x);
  CHECK(j.values() == std::vector<real>{2 * x.data()[0], 0, 0, 2 * x.data()[1]});
}

TEST_CASE("along_gradient: a quadratic's losses, its smoothness ||A g|| / ||g||, and the parameters as they were") {
  const Quadratic f({3, -1, 0.5, 7});
  const std::vector<real> before = f.w.values();
  const Tensor w = f.w.detach().clone(), g = matmul(f.matrix, w);
  const AlongGradient found = along_gradient([&] { return f.loss(); }, {f.w}, {0.1, 0.3});
  CHECK(f.w.values() == before);
  for (size_t i = 0; i < 2; ++i) {
    const Tensor there = w - g * (i ? 0.3 : 0.1);
    CHECK(found.losses[i] == doctest::Approx(dot(there, matmul(f.matrix, there)).item() / 2).epsilon(1e-12));
  }
  const Tensor ag = matmul(f.matrix, g);
  CHECK(found.smoothness == doctest::Approx(std::sqrt(dot(ag, ag).item() / dot(g, g).item())).epsilon(1e-12));
  CHECK_THROWS_WITH_AS(along_gradient([&] { return f.loss(); }, {f.w}, {0}), doctest::Contains("positive"), Error);
}

TEST_CASE("largest_eigenvalue of a spectrum whose squares are beyond a double, or below it") {
  for (const double size : {1e200, 1e-200}) {
    CAPTURE(size);
    const Quadratic f({3 * size, -size, 0.5 * size, 7 * size});
    Random random(1);
    const Eigenvalue found = largest_eigenvalue([&] { return f.loss(); }, {f.w}, random, {.tolerance = 1e-10});
    CHECK(found.value / size == doctest::Approx(7).epsilon(1e-12));
    CHECK(found.residual / size < 1e-9);
  }
  const Quadratic subnormal({1e-310});
  Random random(1);
  CHECK(largest_eigenvalue([&] { return subnormal.loss(); }, {subnormal.w}, random).value / 1e-310 ==
        doctest::Approx(1).epsilon(1e-10));
}
