// Batch norm's kernels as they are used: numerical stability, the same bits for any number of threads, NaN, unwritten
// memory.
#include "core/ops/batch_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/ops/ops.h"

using namespace evenkeel;

namespace {

Tensor ones(int64_t n) { return Tensor::full({n}, 1); }
Tensor zeros(int64_t n) { return Tensor::zeros({n}); }

struct Exact {  // of one channel, two passes in double
  explicit Exact(const Tensor& x) {
    const double m = static_cast<double>(x.size());
    for (real v : x.values()) mean += v / m;
    for (real v : x.values()) var += (v - mean) * (v - mean) / m;
  }
  double mean = 0, var = 0;
};

// Everything that the fused forward and backward passes compute, in one vector.
std::vector<real> results(const Shape& s, bool add, After after) {
  Random random(11);
  Tensor x = Tensor::normal(s, random, 3, 2).track(), a = Tensor::normal(s, random).track();
  Tensor gamma = Tensor::normal({s.channels()}, random).track(), beta = Tensor::normal({s.channels()}, random).track();
  const Epilogue then{.add = add ? a : Tensor(), .after = after};
  const Tensor cotangent = Tensor::normal(s, random);
  std::vector<real> all;
  auto keep = [&](const Tensor& t) { all.insert(all.end(), t.data(), t.data() + t.size()); };
  auto keep_all = [&](const Tensor& y) {
    keep(y);
    std::vector<Tensor> wrt{x, gamma, beta};
    if (add) wrt.push_back(a);
    for (const Tensor& g : grad(y, wrt, {.cotangent = cotangent})) keep(g);
  };
  const Normalized n = batch_norm(x, gamma, beta, default_eps, then);
  keep(n.mean);
  keep(n.var);
  keep_all(n.y);
  keep_all(batch_norm_inference(x, n.mean, n.var, gamma, beta, default_eps, then));
  if (s.rank() > 1 && s.size() / s[0] > 1) keep_all(group_norm(x, 1, gamma, beta, default_eps, then));
  return all;
}

const std::vector<Shape> shapes{{2, 1}, {100000, 1}, {301, 3}, {5, 17, 23, 31}, {64, 512}, {1000, 130}, {9, 4099}};

}  // namespace

TEST_CASE("the variance is right to 1e-5 far from zero, where E[x^2] - E[x]^2 is negative") {
  for (double mean : {0.0, 10.0, 100.0, 1e3, 4096.0, 1e4, 1e5, -1e5}) {
    CAPTURE(mean);
    Random random(7);
    Tensor x = Tensor::normal({4096, 1}, random, mean, 1);
    const Exact exact(x);
    const Normalized n = batch_norm(x, ones(1), zeros(1));
    CHECK(std::abs(n.var.item() / exact.var - 1) < 1e-5);
    CHECK(std::abs(n.mean.item() - exact.mean) <= std::abs(exact.mean) * 1e-7 + 1e-7);
    double worst = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const double expected = (x.data()[i] - exact.mean) / std::sqrt(exact.var + 1e-5);
      worst = std::max(worst, std::abs(n.y.data()[i] - expected));
    }
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("a channel that drifts from 0 to 1e5, or has one outlier, keeps its variance") {
  Tensor x = Tensor::empty({100000, 1});
  for (int64_t i = 0; i < x.size(); ++i) x.mutable_data()[i] = static_cast<real>(i);
  CHECK(batch_norm(x, ones(1), zeros(1)).var.item() == doctest::Approx((1e10 - 1) / 12).epsilon(1e-6));
  for (int64_t i = 0; i < x.size(); ++i) x.mutable_data()[i] = i % 2 ? 1 : -1;
  x.mutable_data()[0] = 1e5;
  const Exact exact(x);
  CHECK(batch_norm(x, ones(1), zeros(1)).var.item() == doctest::Approx(exact.var).epsilon(1e-5));
}

TEST_CASE("a constant channel gives exactly beta") {
  for (float constant : {0.0f, 100.0f, 0.1f, -3e7f, 1e-20f, 16777217.0f})
    for (int64_t rows : {2, 3, 63, 1001, 50000}) {
      const Tensor gamma = Tensor::of({3}, {1.5, -2, 0.3f}), beta = Tensor::of({3}, {0.1f, -7, 0});
      const Normalized n = batch_norm(Tensor::full({rows, 3}, constant), gamma, beta);
      bool exact = true;
      for (int64_t i = 0; i < n.y.size(); ++i) exact = exact && n.y.data()[i] == beta.data()[i % 3];
      CHECK(exact);
      CHECK(n.mean.data()[0] == constant);
      CHECK(n.var.data()[0] == 0);
    }
}

TEST_CASE("exact data leave no error: pairs mean + d, mean - d") {
  for (const Shape& s : {Shape{96, 3}, Shape{4096, 64}, Shape{70000, 1}, Shape{30, 2500}})
    for (float mean : {0.0f, 3.0f, 1024.0f}) {
      Tensor x = Tensor::empty(s);
      for (int64_t i = 0; i < x.size(); ++i) {
        const int64_t r = i / s[1];
        x.mutable_data()[i] = mean + (r % 2 ? 0.5f : -0.5f);
      }
      const Normalized n = batch_norm(x, ones(s[1]), zeros(s[1]), 0);
      bool exact = true;
      for (int64_t c = 0; c < s[1]; ++c) exact = exact && n.mean.data()[c] == mean && n.var.data()[c] == 0.25f;
      for (int64_t i = 0; i < x.size(); ++i) exact = exact && n.y.data()[i] == (x.data()[i] > mean ? 1 : -1);
      CHECK(exact);
    }
}

TEST_CASE("norms: the same bits for any number of threads") {
  const int before = threads();
  for (const Shape& s : shapes)
    for (bool add : {false, true})
      for (const After after : {After::nothing, After::relu, After::gelu}) {
        set_threads(1);
        const std::vector<real> expected = results(s, add, after);
        for (int n : {2, 3, 8}) {
          set_threads(n);
          CHECK(results(s, add, after) == expected);
        }
      }
  set_threads(before);
}

TEST_CASE("norms read nothing that was not written") {
  for (const Shape& s : shapes)
    for (bool add : {false, true})
      for (const After after : {After::nothing, After::relu, After::gelu}) {
        const std::vector<real> expected = results(s, add, after);
        poison_memory(true);
        const std::vector<real> poisoned = results(s, add, after);
        poison_memory(false);
        CHECK(poisoned == expected);
      }
}

TEST_CASE("the fused kernels agree with the definitions in float") {
  for (const Shape& s : {Shape{301, 3}, Shape{5, 7, 3, 31}, Shape{64, 512}, Shape{33, 130}}) {
    Random random(3);
    const Tensor x = Tensor::normal(s, random), gamma = Tensor::normal({s.channels()}, random),
                 beta = Tensor::normal({s.channels()}, random);
    auto worst = [](const Tensor& a, const Tensor& b) {
      double d = 0;
      for (int64_t i = 0; i < a.size(); ++i) d = std::max<double>(d, std::abs(a.data()[i] - b.data()[i]));
      return d;
    };
    for (const After after : {After::relu, After::gelu})
      CHECK(worst(batch_norm(x, gamma, beta, default_eps, {.after = after}).y,
                  batch_norm_definition(x, gamma, beta, default_eps, {.after = after})) < 1e-5);
    CHECK(worst(layer_norm(x, gamma, beta), group_norm_definition(x, 1, gamma, beta)) < 1e-5);
  }
}

TEST_CASE("a NaN stays in its channel, and there it is everywhere: a diverged network must be seen to be") {
  for (real bad : {NAN, INFINITY})
    for (const After after : {After::nothing, After::relu, After::gelu}) {
      Random random(5);
      Tensor x = Tensor::normal({40, 3}, random);
      x.mutable_data()[4 * 3 + 1] = bad;
      x.track();
      const Normalized n = batch_norm(x, ones(3), zeros(3), default_eps, {.after = after});
      const Tensor dx = grad(n.y, {x}, {.cotangent = Tensor::normal({40, 3}, random)})[0];
      for (int64_t i = 0; i < n.y.size(); ++i) {
        CHECK(std::isnan(n.y.data()[i]) == (i % 3 == 1));
        CHECK(std::isnan(dx.data()[i]) == (i % 3 == 1));
      }
      CHECK(!std::isfinite(n.var.data()[1]));
      CHECK(std::isfinite(n.var.data()[0]));
    }
}

TEST_CASE("on exact data the result is exact, at any number of threads") {
  // Deviations in plus-minus pairs whose mean square is 4^k - 1/4: with eps = 1/4 the root is 2^k. Means and gammas are
  // dyadic.
  const std::vector<std::vector<int>> deviations{{1, 1, 1, 0}, {3, 2, 1, 1}, {7, 3, 2, 1}, {15, 5, 2, 1}};
  const std::vector<real> means{real(0.5), -4096, 1024, 3}, gammas{2, real(0.25), -1, 8}, betas{1, real(-0.5), 0, 100};
  const int64_t channels = 4;
  const int before = threads();
  for (int64_t rows : {8, 64, 4096, 65536}) {
    CAPTURE(rows);
    Tensor x = Tensor::empty({rows, channels}), y = Tensor::empty({rows, channels});
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < channels; ++c) {
        const real d = static_cast<real>(deviations[c][r / 2 % 4] * (r % 2 ? -1 : 1));
        x.mutable_data()[r * channels + c] = means[c] + d;
        y.mutable_data()[r * channels + c] = gammas[c] * (d / static_cast<real>(1 << c)) + betas[c];
      }
    for (int n : {1, 2, 3, 5, 8}) {
      set_threads(n);
      const Normalized result =
          batch_norm(x, Tensor::of({channels}, gammas), Tensor::of({channels}, betas), real(0.25));
      CHECK(result.mean.values() == means);
      CHECK(result.var.values() == std::vector<real>{real(0.75), real(3.75), real(15.75), real(63.75)});
      CHECK(result.y.values() == y.values());
    }
  }
  set_threads(before);
}

TEST_CASE("a result too large for the caches, written past them, is the same to the bit") {
  Random random(11);
  // 7.8 MiB; its parts, 3.9, are not too large. The last run is of one row, half as long as others.
  const int64_t rows = 32001, channels = 64, half = rows / 2 * channels;
  const Tensor gamma = Tensor::normal({channels}, random), beta = Tensor::normal({channels}, random),
               mean = Tensor::normal({channels}, random), var = Tensor::uniform({channels}, random, 0.5, 2);
  const Tensor x = Tensor::normal({rows, channels}, random), add = Tensor::normal(x.shape(), random),
               g = Tensor::normal(x.shape(), random);
  auto part = [&](const Tensor& t, int64_t begin) {
    const int64_t end = begin == 0 ? half : t.size();
    return Tensor::of({(end - begin) / channels, channels}, {t.data() + begin, t.data() + end});
  };
  auto run = [&](Tensor x, const Tensor& add, const Tensor& g, bool with_add, After after) {
    x.track();
    Tensor y = batch_norm_inference(x, mean, var, gamma, beta, default_eps,
                                    {.add = with_add ? add : Tensor(), .after = after});
    return std::pair(y.detach(), grad(y, {x}, {.cotangent = g})[0]);
  };
  poison_memory(true);  // what nobody wrote would show
  for (const auto& [with_add, after] :
       {std::pair{false, After::relu}, {true, After::relu}, {false, After::gelu}, {true, After::gelu}}) {
    const auto [y, dx] = run(x.detach(), add, g, with_add, after);
    for (const int64_t begin : {int64_t{0}, half}) {
      const auto [y_part, dx_part] = run(part(x, begin), part(add, begin), part(g, begin), with_add, after);
      CHECK(std::equal(y_part.data(), y_part.data() + y_part.size(), y.data() + begin));
      CHECK(std::equal(dx_part.data(), dx_part.data() + dx_part.size(), dx.data() + begin));
    }
  }
  poison_memory(false);
}

TEST_CASE("gradients where the mean is a million times the deviation, and no float: what is left of the mean counts") {
  const int64_t rows = 64, channels = 3;
  const double step = 1.0 / 1024;  // between neighbouring floats at 10,000
  Random random(9);
  Tensor x = Tensor::empty({rows, channels}), g = Tensor::uniform({rows, channels}, random, 0.5, 1.5);
  for (int64_t i = 0; i < x.size(); ++i)
    x.mutable_data()[i] = static_cast<real>(10000 + step * static_cast<double>(random.below(3)));
  x.track();
  const Tensor gamma = Tensor::full({channels}, 1).track(), beta = Tensor::zeros({channels}).track();
  const real eps = 1e-7f;
  const auto normalise = [&](int64_t groups) {
    return groups == 0 ? batch_norm(x, gamma, beta, eps).y
                       : group_norm(reshape(x, {1, rows, channels}), groups, gamma, beta, eps);
  };
  for (const int64_t groups : {0, 3}) {  // the batch; or one example, a group a channel, which is the same
    CAPTURE(groups);
    const Tensor y = normalise(groups);
    const Grads d = grad(y, {x, gamma}, {.cotangent = reshape(g, y.shape())});
    for (int64_t c = 0; c < channels; ++c) {
      double mean = 0, var = 0, sum = 0, product = 0;
      for (int64_t r = 0; r < rows; ++r) mean += x.data()[r * channels + c] / static_cast<double>(rows);
      for (int64_t r = 0; r < rows; ++r)
        var += std::pow(x.data()[r * channels + c] - mean, 2) / static_cast<double>(rows);
      const double rstd = 1 / std::sqrt(var + eps);
      const auto xhat = [&](int64_t r) { return (x.data()[r * channels + c] - mean) * rstd; };
      for (int64_t r = 0; r < rows; ++r)
        sum += g.data()[r * channels + c], product += g.data()[r * channels + c] * xhat(r);
      CHECK(d[1].data()[c] == doctest::Approx(product).epsilon(1e-4).scale(10));
      for (int64_t r = 0; r < rows; ++r) {
        const double dx = rstd * (g.data()[r * channels + c] - (sum + xhat(r) * product) / static_cast<double>(rows));
        CHECK(d[0].data()[r * channels + c] == doctest::Approx(dx).epsilon(1e-4).scale(rstd));
      }
    }
  }
}

TEST_CASE("where a norm's ReLU puts out exactly 0 no gradient passes, also where results are written past the caches") {
  Random random(9);
  for (const Shape& shape : {Shape{33, 1}, Shape{33, 8}, Shape{33, 19}, Shape{32000, 64}}) {
    const int64_t channels = shape.channels();
    const Tensor x = Tensor::full(shape, 3).track(), gamma = Tensor::normal({channels}, random).track(),
                 beta = Tensor::zeros({channels}).track(), g = Tensor::normal(shape, random),
                 mean = Tensor::full({channels}, 3), var = Tensor::full({channels}, 1);
    const Tensor training = batch_norm(x, gamma, beta, default_eps, {.after = After::relu}).y,
                 inference = batch_norm_inference(x, mean, var, gamma, beta, default_eps, {.after = After::relu});
    for (const Tensor& y : {training, inference}) {
      CHECK(std::ranges::count(y.values(), real(0)) == y.size());
      for (const Tensor& d : grad(y, {x, gamma, beta}, {.cotangent = g}))
        CHECK(std::ranges::count(d.values(), real(0)) == d.size());
    }
  }
}

TEST_CASE("norms without eps: finite while 1 / var is, and not where a channel does not vary") {
  const auto of = [](real deviation, bool group) {  // 1 or NaN: y and dx of two values that differ
    const Tensor x = Tensor::of({1, 2, 1}, {-deviation, deviation}).track(),
                 y = group ? group_norm(x, 1, ones(1), zeros(1), 0) : batch_norm(x, ones(1), zeros(1), 0).y,
                 dx = grad(y, {x}, {.cotangent = Tensor::of({1, 2, 1}, {1, 0})})[0];
    CHECK(std::isfinite(dx.data()[0]) == std::isfinite(y.data()[0]));
    return y.data()[1];
  };
  for (const bool group : {false, true}) {
    CHECK(of(3, group) == 1);
    CHECK(of(real(1e-18), group) == doctest::Approx(1));
    CHECK_FALSE(std::isfinite(of(0, group)));
  }
}
