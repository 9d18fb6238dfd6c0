// Batch, group and layer norm: derivatives, the definitions, and the closed forms, all of them exact statements.
#include "core/ops/batch_norm.h"
#include "tests/check_definition.h"

using namespace evenkeel;

namespace {

Tensor ones(int64_t n) { return Tensor::full({n}, 1); }
Tensor zeros(int64_t n) { return Tensor::zeros({n}); }

// The ways to end a batch norm, as functions of {x, gamma, beta, add}.
struct Ending {
  bool add;
  After after;
  Inputs inputs(const Shape& s) const {
    Inputs in{random(s), random({s.channels()}), random({s.channels()})};
    if (add) in.push_back(random(s));
    return in;
  }
  Epilogue then(const Inputs& in) const { return {.add = add ? in[3] : Tensor(), .after = after}; }
};
const std::vector<Ending> endings{{false, After::nothing}, {false, After::relu}, {false, After::gelu},
                                  {true, After::nothing},  {true, After::relu},  {true, After::gelu}};

double distance_from_zero(const Tensor& x) {
  double d = INFINITY;
  for (real v : x.values()) d = std::min(d, std::abs(v));
  return d;
}

// One channel of m values.
Tensor column(const std::vector<real>& values) { return Tensor::of({static_cast<int64_t>(values.size()), 1}, values); }

struct Column {  // and what the formulas are made of
  explicit Column(const Tensor& x, real eps) : x(x), m(static_cast<double>(x.size())) {
    for (real v : x.values()) mean += v / m;
    for (real v : x.values()) var += (v - mean) * (v - mean) / m;
    s = std::sqrt(var + eps);
    for (real v : x.values()) normalised.push_back((v - mean) / s);
  }
  double projection(size_t i, size_t j) const { return (i == j) - 1 / m; }  // P = I - 11'/m
  Tensor x;
  double m, mean = 0, var = 0, s = 0;
  std::vector<double> normalised;
};

Tensor unit(const Shape& shape, size_t i) {
  Tensor e = Tensor::zeros(shape);
  e.mutable_data()[i] = 1;
  return e;
}

}  // namespace

TEST_CASE("batch_norm: derivatives up to order 3, whatever follows") {
  for (const Ending& e : endings) {
    for (const Shape& s : {Shape{6, 3}, Shape{2, 2, 3, 4}}) {
      const Tensor mean = random({s.channels()}), var = random_positive({s.channels()});
      auto batch = [&](const Inputs& in, const Epilogue& then) {
        return batch_norm(in[0], in[1], in[2], default_eps, then).y;
      };
      auto inference = [&](const Inputs& in, const Epilogue& then) {
        return batch_norm_inference(in[0], mean, var, in[1], in[2], default_eps, then);
      };
      for (auto& norm : std::vector<std::function<Tensor(const Inputs&, const Epilogue&)>>{batch, inference}) {
        Inputs in;
        do in = e.inputs(s);  // none near relu's kink
        while (distance_from_zero(norm(in, {.add = e.then(in).add})) < 0.02);
        check_grad([&](const Inputs& at) { return norm(at, e.then(at)); }, in, 3);
      }
    }
  }
}

TEST_CASE("group_norm and layer_norm: derivatives up to order 3, whatever follows") {
  for (const Ending& e : endings) {
    const auto check = [&](const Shape& s, int64_t groups) {
      const auto norm = [&](const Inputs& in, const Epilogue& then) {
        return groups == 1 ? layer_norm(in[0], in[1], in[2], default_eps, then)
                           : group_norm(in[0], groups, in[1], in[2], default_eps, then);
      };
      Inputs in;
      do in = e.inputs(s);  // none near relu's kink
      while (distance_from_zero(norm(in, {.add = e.then(in).add})) < 0.01);
      check_grad([&](const Inputs& at) { return norm(at, e.then(at)); }, in, 3);
    };
    for (const int64_t groups : {1, 2, 4}) check({2, 2, 3, 4}, groups);
    check({3, 5}, 1);
  }
}

TEST_CASE("batch_norm equals its definition up to the fourth derivative") {
  // Widths around those of vectors and of the kernels' lanes, and enough rows for several blocks.
  for (const Shape& s : {Shape{2, 1}, Shape{7, 3}, Shape{3, 2, 5, 16}, Shape{5, 129}, Shape{70000, 1}, Shape{600, 128}})
    for (const Ending& e : endings) {
      CAPTURE(s.str());
      check_definition(
          [&](const Inputs& in) { return batch_norm(in[0], in[1], in[2], default_eps, e.then(in)).y; },
          [&](const Inputs& in) { return batch_norm_definition(in[0], in[1], in[2], default_eps, e.then(in)); },
          e.inputs(s), s.rows() < 100 ? 4 : 2);
    }
}

TEST_CASE("group_norm equals its definition up to the fourth derivative") {
  for (const Shape& s : {Shape{3, 4}, Shape{2, 3, 4}, Shape{3, 4, 5, 12}, Shape{2, 40, 40, 12}})
    for (int64_t groups : {1, 2, 4})
      for (const Ending& e : endings) {
        if (s.size() / s[0] / groups < 2) continue;
        check_definition(
            [&](const Inputs& in) { return group_norm(in[0], groups, in[1], in[2], default_eps, e.then(in)); },
            [&](const Inputs& in) {
              return group_norm_definition(in[0], groups, in[1], in[2], default_eps, e.then(in));
            },
            e.inputs(s), s.rows() < 100 ? 4 : 2);
      }
}

TEST_CASE("two plausible batch norms with exact gradients and wrong Hessians are caught by the second order") {
  const Inputs in{random({8, 2})};
  const real eps = real(1e-5);
  // 1 / sigma goes into the backward pass as a number.
  const Function captured = [=](const Inputs& x) {
    const Normalized n = batch_norm(x[0].detach(), ones(2), zeros(2), eps);
    const Tensor rstd = rsqrt(n.var + eps);
    return record(n.y.detach(), {x[0]}, [=](const Tensor& y, const Tensor& g) {
      const Tensor centred = add_per_channel(g, -mean_rows(g)) - scale_per_channel(y, mean_rows(g * y));
      return Grads{scale_per_channel(centred, rstd)};
    });
  };
  // The variance sees the mean as a constant: harmless once, since d var / d mean = 0.
  const Function detached = [=](const Inputs& x) {
    const Tensor mean = mean_rows(x[0]);
    const Tensor var = mean_rows(square(add_per_channel(x[0], -mean.detach())));
    return scale_per_channel(add_per_channel(x[0], -mean), rsqrt(var + eps));
  };
  const Function right = [=](const Inputs& x) { return batch_norm(x[0], ones(2), zeros(2), eps).y; };
  for (const Function& wrong : {captured, detached}) {
    CHECK(difference(wrong(in), right(in)) < 1e-14);
    CHECK(grad_error(wrong, in, 1) < 1e-7);
    CHECK(grad_error(wrong, in, 2) > 1e-3);
  }
  CHECK(grad_error(right, in, 2) < 1e-7);
}

TEST_CASE("the Jacobian of batch norm is gamma / s (P - xhat xhat' / m), that of inference gamma / s on the diagonal") {
  for (real eps : {0.0, 1e-5, 0.5}) {
    const Column c(random({7, 1}), eps);
    const Tensor gamma = Tensor::of({1}, {1.7}), beta = Tensor::of({1}, {-0.3});
    Tensor x = c.x.clone().track();
    const Tensor y = batch_norm(x, gamma, beta, eps).y;
    const Tensor fixed = batch_norm_inference(x, Tensor::of({1}, {c.mean}), Tensor::of({1}, {c.var}), gamma, beta, eps);
    CHECK(difference(fixed.detach(), y.detach()) < 1e-14);
    for (bool differentiable : {false, true}) {
      for (size_t i = 0; i < 7; ++i) {
        const Tensor row = grad(y, {x}, {.differentiable = differentiable, .cotangent = unit(y.shape(), i)})[0];
        const Tensor fixed_row =
            grad(fixed, {x}, {.differentiable = differentiable, .cotangent = unit(y.shape(), i)})[0];
        for (size_t j = 0; j < 7; ++j) {
          const double expected = 1.7 / c.s * (c.projection(i, j) - c.normalised[i] * c.normalised[j] / c.m);
          CHECK(row.data()[j] == doctest::Approx(expected).epsilon(1e-12));
          CHECK(fixed_row.data()[j] == doctest::Approx(i == j ? 1.7 / c.s : 0).epsilon(1e-14));
        }
      }
    }
  }
}

TEST_CASE("the second derivative of xhat is the symmetric closed form") {
  // d2 xhat_i / dx_j dx_k = -(xhat_i P_jk + xhat_j P_ik + xhat_k P_ij - 3/m xhat_i xhat_j xhat_k) / (m s^2)
  const real eps = 1e-3;
  const Column c(random({6, 1}), eps);
  Tensor x = c.x.clone().track();
  const Tensor y = batch_norm(x, ones(1), zeros(1), eps).y;
  const std::vector<double>& h = c.normalised;
  double worst = 0;
  for (size_t i = 0; i < 6; ++i) {
    const Tensor row = grad(y, {x}, {.differentiable = true, .cotangent = unit(y.shape(), i)})[0];
    for (size_t j = 0; j < 6; ++j) {
      const Tensor second = grad(dot(row, unit(x.shape(), j)), {x})[0];
      for (size_t k = 0; k < 6; ++k) {
        const double expected = -(h[i] * c.projection(j, k) + h[j] * c.projection(i, k) + h[k] * c.projection(i, j) -
                                  3 / c.m * h[i] * h[j] * h[k]) /
                                (c.m * c.s * c.s);
        worst = std::max(worst, std::abs(second.data()[k] - expected));
      }
    }
  }
  CHECK(worst < 1e-14);
}

TEST_CASE("the norm of the gradient that batch norm passes on") {
  // With eps = 0: ||dx||^2 = gamma^2 / sigma^2 (||g||^2 - <1, g>^2 / m - <xhat, g>^2 / m).
  const Column c(random({9, 1}), 0);
  const Tensor g = random({9, 1});
  Tensor x = c.x.clone().track();
  const Tensor dx = grad(batch_norm(x, Tensor::of({1}, {-0.6}), zeros(1), 0).y, {x}, {.cotangent = g})[0];
  double norm = 0, gg = 0, g1 = 0, gh = 0;
  for (size_t i = 0; i < 9; ++i) {
    norm += dx.data()[i] * dx.data()[i];
    gg += g.data()[i] * g.data()[i];
    g1 += g.data()[i];
    gh += g.data()[i] * c.normalised[i];
  }
  CHECK(norm == doctest::Approx(0.36 / c.var * (gg - g1 * g1 / 9 - gh * gh / 9)).epsilon(1e-12));
}

TEST_CASE("weights before batch norm: <W_k, dW_k> = eps / (var_k + eps) gamma_k dgamma_k, and a bias has no gradient") {
  for (real eps : {0.0, 1e-3, 0.5}) {
    Tensor w = random({5, 4}), b = random({4}), gamma = random({4}), beta = random({4});
    for (Tensor* t : {&w, &b, &gamma, &beta}) t->track();
    const Tensor z = add_per_channel(matmul(random({10, 5}), w), b);
    const Normalized n = batch_norm(z, gamma, beta, eps);
    const Grads d = grad(cross_entropy(n.y, {0, 1, 2, 3, 0, 1, 2, 3, 0, 1}), {w, b, gamma});
    for (int64_t k = 0; k < 4; ++k) {
      double inner = 0;
      for (int64_t f = 0; f < 5; ++f) inner += w.data()[f * 4 + k] * d[0].data()[f * 4 + k];
      CHECK(inner == doctest::Approx(eps / (n.var.data()[k] + eps) * gamma.data()[k] * d[2].data()[k]).epsilon(1e-12));
      CHECK(std::abs(d[1].data()[k]) < 1e-15);
    }
  }
}

TEST_CASE("the variance is the biased one, and what comes out has variance var / (var + eps)") {
  const Normalized n = batch_norm(column({1, 2, 3, 4}), ones(1), zeros(1), 0);
  CHECK(n.mean.item() == 2.5);
  CHECK(n.var.item() == 1.25);
  CHECK(n.y.data()[3] == doctest::Approx(1.5 / std::sqrt(1.25)).epsilon(1e-15));
  const Tensor x = random({1000, 1});
  for (double sigma : {1e-4, 1e-3, 1.0, 1e2, 1e4}) {
    const Normalized batch = batch_norm(x * sigma, ones(1), zeros(1));
    const Normalized again = batch_norm(batch.y, ones(1), zeros(1));
    CHECK(std::abs(again.mean.item()) < 1e-14);
    CHECK(again.var.item() == doctest::Approx(batch.var.item() / (batch.var.item() + 1e-5)).epsilon(1e-12));
  }
}

TEST_CASE("no normalised value exceeds sqrt(m - 1)") {
  for (int64_t m : {2, 3, 10, 1000}) {
    Tensor x = random({m, 1});
    x.mutable_data()[0] = 1e6;
    const Tensor y = batch_norm(x, ones(1), zeros(1), 0).y;
    for (real v : y.values()) CHECK(std::abs(v) <= std::sqrt(static_cast<double>(m - 1)) * (1 + 1e-12));
    CHECK(y.data()[0] == doctest::Approx(std::sqrt(static_cast<double>(m - 1))).epsilon(1e-6));
  }
}

TEST_CASE("a batch of two cannot learn") {
  Tensor x = column({0.3, 1.9}).track();
  CHECK(difference(batch_norm(x, ones(1), zeros(1), 0).y.detach(), column({-1, 1})) < 1e-15);
  const Tensor g = column({1, 0});
  const Tensor without = grad(batch_norm(x, ones(1), zeros(1), 0).y, {x}, {.cotangent = g})[0];
  CHECK(difference(without.detach(), column({0, 0})) < 1e-15);
  const double s = std::sqrt(0.64 + 1e-5), expected = 1 / s * (1e-5 / (s * s)) / 2;
  const Tensor with = grad(batch_norm(x, ones(1), zeros(1)).y, {x}, {.cotangent = g})[0];
  CHECK(with.data()[0] == doctest::Approx(expected).epsilon(1e-9));
  CHECK(with.data()[1] == doctest::Approx(-expected).epsilon(1e-9));
  CHECK(expected == doctest::Approx(9.765e-6).epsilon(1e-3));
}

TEST_CASE("gamma = sqrt(var + eps) and beta = mean give the input back") {
  for (const Shape& s : {Shape{9, 4}, Shape{2, 3, 4, 5}}) {
    const Tensor x = random(s, 3, 2);
    const Normalized n = batch_norm(x, ones(s.channels()), zeros(s.channels()));
    const Tensor same = batch_norm(x, sqrt(n.var + 1e-5), n.mean).y;
    CHECK(difference(same, x) < 1e-14);
  }
}

TEST_CASE("images are normalised as their pixels in one long batch") {
  const Tensor x = random({2, 3, 4, 5}), gamma = random({5}), beta = random({5});
  const Tensor image = batch_norm(x, gamma, beta).y, rows = batch_norm(reshape(x, {24, 5}), gamma, beta).y;
  CHECK(image.values() == rows.values());
}

TEST_CASE("which norm is invariant to what") {
  const Shape s{3, 4, 4, 6};
  const Tensor x = random(s), gamma = random({6}), beta = random({6});
  const Tensor per_channel = add_per_channel(scale_per_channel(x, random_positive({6})), random({6}));
  const Tensor per_example = x * spread_positions(spread_channels(random_positive({3}), {3, 6}), s) +
                             spread_positions(spread_channels(random({3}), {3, 6}), s);
  auto batch = [&](const Tensor& v) { return batch_norm(v, gamma, beta, 0).y; };
  auto group = [&](const Tensor& v, int64_t groups) { return group_norm(v, groups, gamma, beta, 0); };
  CHECK(difference(batch(per_channel), batch(x)) < 1e-12);
  CHECK(difference(batch(per_example), batch(x)) > 0.1);
  CHECK(difference(group(per_example, 1), group(x, 1)) < 1e-12);
  CHECK(difference(group(per_channel, 1), group(x, 1)) > 0.1);
  CHECK(difference(group(per_channel, 6), group(x, 6)) < 1e-12);  // instance norm: to both
  CHECK(difference(group(per_example, 6), group(x, 6)) < 1e-12);
  // Of one example, batch norm is instance norm.
  const Tensor one = random({1, 4, 4, 6});
  CHECK(difference(batch(one), group(one, 6)) < 1e-13);
}

TEST_CASE("statistics are exact where the data are: sums of dyadic pairs around the mean leave no error") {
  for (const Shape& s : {Shape{1000, 3}, Shape{4096, 64}, Shape{64, 513}}) {
    Tensor x = Tensor::empty(s);
    for (int64_t r = 0; r < s[0]; r += 2)
      for (int64_t c = 0; c < s[1]; ++c) {
        const double d = 0.125 * static_cast<double>(1 + (r / 2 + c) % 2);
        x.mutable_data()[r * s[1] + c] = 5 + d;
        x.mutable_data()[(r + 1) * s[1] + c] = 5 - d;
      }
    const Normalized n = batch_norm(x, ones(s[1]), zeros(s[1]), 0);
    for (int64_t c = 0; c < s[1]; ++c) {
      CHECK(n.mean.data()[c] == 5);
      CHECK(n.var.data()[c] == 0.125 * 0.125 * 2.5);
    }
  }
}

TEST_CASE("norms say what they need") {
  const Tensor x = random({4, 3}), c = random_positive({3});
  CHECK_THROWS_WITH_AS(batch_norm(random({1, 3}), c, c),
                       doctest::Contains("one value per channel has no variance, x is (1, 3)"), Error);
  CHECK_THROWS_WITH_AS(batch_norm(random({0, 3}), c, c), doctest::Contains("x must have values"), Error);
  CHECK_THROWS_WITH_AS(batch_norm(x, random({4}), c), doctest::Contains("needs gamma and beta (3), got (4) and (3)"),
                       Error);
  CHECK_THROWS_WITH_AS(batch_norm(x, c, c, default_eps, {.add = random({3, 3})}),
                       doctest::Contains("`add` must have x's shape"), Error);
  CHECK_THROWS_WITH_AS(batch_norm_inference(x, random({4}), c, c, c), doctest::Contains("needs mean and var (3)"),
                       Error);
  CHECK_THROWS_WITH_AS(batch_norm_inference(x, c.clone().track(), c, c, c), doctest::Contains("constants"), Error);
  CHECK_THROWS_WITH_AS(batch_norm_inference(x, c, c.clone().track(), c, c), doctest::Contains("constants"), Error);
  CHECK_THROWS_WITH_AS(batch_norm(x, c, c, -1e-5), doctest::Contains("eps must not be negative, got -1e-05"), Error);
  for (const auto& [begin, end] : {std::pair{-1, 2}, {2, 2}, {3, 2}, {0, 5}})
    CHECK_THROWS_WITH_AS(moments(x, begin, end), doctest::Contains("x (4, 3) has no rows ["), Error);
  Tensor tracked = random({4, 3}).track(), mean;
  {
    const Recording off(false);
    mean = mean_rows(tracked);
  }
  const Tensor y = batch_norm_inference(tracked, mean, c, c, c);
  CHECK_THROWS_WITH_AS(grad(sum(y), {tracked}), doctest::Contains("recording was off"), Error);
  CHECK_THROWS_WITH_AS(group_norm(x, 2, c, c), doctest::Contains("3 channels cannot be cut into 2 groups"), Error);
  CHECK_THROWS_WITH_AS(group_norm(x, 3, c, c), doctest::Contains("one value per group has no variance"), Error);
  CHECK_THROWS_WITH_AS(group_norm(c, 1, c, c), doctest::Contains("axis of examples"), Error);
}
