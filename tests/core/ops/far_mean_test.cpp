// Normalisations of values far from zero: a mean rounded to float is off by 5e-4 at 1e4, and what was taken away with
// it must not show in y, in the statistics, nor in what higher derivatives are made of.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/recalibrate.h"

using namespace evenkeel;

namespace {

constexpr real eps = real(1e-5);

// Which group a value belongs to, for an (n, p, channels) tensor.
struct Form {
  std::string name;
  std::function<Tensor(const Tensor&)> y;
  std::function<int64_t(int64_t n, int64_t p, int64_t c)> group;  // -1: it does not count
};

constexpr int64_t examples = 6, positions = 41, channels = 6;
const Tensor all_ones = Tensor::full({channels}, 1), none = Tensor::zeros({channels});

std::vector<Form> forms() {
  const auto channel = [](int64_t, int64_t, int64_t c) { return c; };
  const auto pairs = [](int64_t n, int64_t, int64_t c) { return n * channels + c / 2; };
  const auto masked = [](Mode mode) {
    return [mode](const Tensor& x) {
      BatchNorm norm(channels);
      norm.mask = Tensor::full({examples * positions}, 1);
      for (int64_t i = 0; i < norm.mask.size(); i += 3) norm.mask.mutable_data()[i] = 0;
      return norm.forward(x, mode);
    };
  };
  const auto counted = [](int64_t n, int64_t p, int64_t c) { return (n * positions + p) % 3 ? c : -1; };
  return {
      {"batch norm", [](const Tensor& x) { return batch_norm(x, all_ones, none).y; }, channel},
      {"its definition", [](const Tensor& x) { return batch_norm_definition(x, all_ones, none); }, channel},
      {"group norm", [](const Tensor& x) { return group_norm(x, 3, all_ones, none); }, pairs},
      {"its definition", [](const Tensor& x) { return group_norm_definition(x, 3, all_ones, none); }, pairs},
      {"ghost batches", [](const Tensor& x) { return BatchNorm(channels, {.ghost = 2}).forward(x, Mode::train); },
       [](int64_t n, int64_t, int64_t c) { return n / 2 * channels + c; }},
      {"masked", masked(Mode::train), counted},
      {"masked, probe", masked(Mode::probe), counted},
      {"renorm", [](const Tensor& x) { return BatchRenorm(channels).forward(x, Mode::train); }, channel},
  };
}

// The largest error of y, where x was normalised exactly.
double error_of(const Form& form, const Tensor& x) {
  const Tensor y = form.y(x);
  std::vector<double> count(examples * channels), mean(count), var(count);
  const auto each = [&](const std::function<void(size_t group, double value, double result)>& see) {
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t g = form.group(i / channels / positions, i / channels % positions, i % channels);
      if (g >= 0) see(static_cast<size_t>(g), static_cast<double>(x.data()[i]), static_cast<double>(y.data()[i]));
    }
  };
  each([&](size_t g, double v, double) { count[g] += 1, mean[g] += v; });
  for (size_t g = 0; g < mean.size(); ++g) mean[g] /= std::max(1.0, count[g]);
  each([&](size_t g, double v, double) { var[g] += (v - mean[g]) * (v - mean[g]); });
  double worst = 0;
  each([&](size_t g, double v, double r) {
    const double error = std::abs(r - (v - mean[g]) / std::sqrt(var[g] / count[g] + static_cast<double>(eps)));
    worst = error <= worst ? worst : error;
  });
  return worst;
}

}  // namespace

TEST_CASE("far from zero: every form of normalisation gives 0 of a constant, and 1e-6 of a mean of 10,000 deviations") {
  Random random(5);
  const Tensor constant = Tensor::full({examples, positions, channels}, real(3333333.25));
  const Tensor far = Tensor::normal({examples, positions, channels}, random, 1e4, 1);
  for (const Form& form : forms()) {
    CAPTURE(form.name);
    const std::vector<real> y = form.y(constant).values();
    CHECK(*std::ranges::max_element(y) == 0);
    CHECK(*std::ranges::min_element(y) == 0);
    CHECK(error_of(form, far) < 2e-6);
  }
}

TEST_CASE("far from zero: the statistics of masked, ghost and renorm batches, and of a population") {
  Random random(6);
  const Tensor x = Tensor::normal({examples, positions, channels}, random, 1e4, 0.01);
  std::vector<double> mean(channels), var(channels), ghost(channels);
  const auto moments_of = [&](int64_t begin, int64_t end, int64_t c,
                              double& m) {  // the variance of the rows [begin, end)
    double v = 0;
    for (int64_t r = begin; r < end; ++r)
      m += static_cast<double>(x.data()[r * channels + c]) / static_cast<double>(end - begin);
    for (int64_t r = begin; r < end; ++r) v += std::pow(static_cast<double>(x.data()[r * channels + c]) - m, 2);
    return v / static_cast<double>(end - begin);
  };
  const int64_t rows = examples * positions;
  for (int64_t c = 0; c < channels; ++c) {
    var[c] = moments_of(0, rows, c, mean[c]);
    for (int64_t p = 0; p < 3; ++p) {
      double m = 0;
      ghost[c] += moments_of(p * rows / 3, (p + 1) * rows / 3, c, m) / 3;
    }
  }
  BatchNorm masked(channels, {.unbiased = false}), parts(channels, {.unbiased = false, .ghost = 2});
  masked.mask = Tensor::full({rows}, 1);
  BatchRenorm renorm(channels);
  masked.forward(x, Mode::train), parts.forward(x, Mode::train), renorm.forward(x, Mode::train);
  Population population;
  for (int64_t n = 0; n < examples; ++n)
    population.add(Tensor::of({positions, channels},
                              {x.data() + n * positions * channels, x.data() + (n + 1) * positions * channels}));
  for (int64_t c = 0; c < channels; ++c) {
    for (const Tensor& m : {masked.running_mean, parts.running_mean, renorm.running_mean})
      CHECK(m.data()[c] == static_cast<real>(mean[c]));
    CHECK(population.mean().data()[c] == static_cast<real>(mean[c]));
    CHECK(static_cast<double>(masked.running_var.data()[c]) == doctest::Approx(var[c]).epsilon(1e-5));
    CHECK(static_cast<double>(population.var().data()[c]) == doctest::Approx(var[c]).epsilon(1e-5));
    CHECK(static_cast<double>(parts.running_var.data()[c]) == doctest::Approx(ghost[c]).epsilon(1e-5));
    CHECK(static_cast<double>(renorm.running_sigma.data()[c]) ==
          doctest::Approx(std::sqrt(var[c] + 1e-5)).epsilon(1e-5));
  }
}

TEST_CASE("far from zero: renorm without clipping gives what inference gives") {
  Random random(7);
  const Tensor x = Tensor::normal({64, channels}, random, 1e4, 1);
  BatchRenorm norm(channels, {.r_max = 1e6, .d_max = 1e6, .start = 0, .r_end = 0, .d_end = 0});
  norm.set_statistics(Tensor::full({channels}, 9999), Tensor::full({channels}, 2), 100);
  const Tensor y = norm.forward(x, Mode::probe), expected = norm.forward(x, Mode::eval);
  for (int64_t i = 0; i < y.size(); ++i) CHECK(y.data()[i] == doctest::Approx(expected.data()[i]).epsilon(2e-6));
}

TEST_CASE("masked: rows that do not count may be as large as a float can be") {
  BatchNorm norm(1);
  norm.mask = Tensor::of({4}, {1, 0, 1, 0});
  Tensor x = Tensor::of({4, 1}, {1, real(3e38), 3, real(-3e38)}).track();
  const Tensor y = norm.forward(x, Mode::train);
  CHECK(y.data()[0] == doctest::Approx(-1).epsilon(1e-4));
  CHECK(norm.running_mean.item() == 2);
  for (real g : grad(y, {x}, {.cotangent = Tensor::of({4, 1}, {1, 0, 2, 0})})[0].values()) CHECK(std::isfinite(g));
}
