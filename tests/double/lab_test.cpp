// The laboratory's verdicts: each can come out either way, and NaN never holds.
#include "apps/lab/lab.h"

#include <doctest/doctest.h>

#include "apps/lab/symbols.h"

using namespace evenkeel;
using namespace evenkeel::lab;

namespace {

template <class F>
bool as_expected(F f) {
  Lab lab({.quick = true, .data_dir = {}});
  f(lab);
  REQUIRE(lab.rows.size() == 1);
  return lab.rows[0].as_expected();
}

}  // namespace

TEST_CASE("lab: exact statements") {
  CHECK(as_expected([](Lab& l) { l.equal("", "", 2, 2 + 1e-12); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", 2, 2 + 1e-9); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", 2, NAN); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", NAN, 2); }));
  const Tensor a = Tensor::of({2}, {1, 2});
  CHECK(as_expected([&](Lab& l) { l.same("", "", a, a.clone()); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.same("", "", a, Tensor::of({2}, {1, 2.001})); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.same("", "", a, Tensor::of({2}, {NAN, 2})); }));
  Lab lab({.quick = true, .data_dir = {}});
  CHECK_THROWS_AS(lab.same("", "", a, Tensor::zeros({3})), Error);
}

TEST_CASE("lab: Monte Carlo and statistical statements") {
  Sample sample;
  for (double v : {1., 2., 3., 4.}) sample.add(v);
  CHECK(sample.mean() == doctest::Approx(2.5));
  CHECK(sample.variance() == doctest::Approx(5. / 3));
  CHECK(sample.error() == doctest::Approx(std::sqrt(5. / 12)));
  CHECK(as_expected([&](Lab& l) { l.expected("", "", 2.5 + 3.9 * sample.error(), sample); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.expected("", "", 2.5 + 4.1 * sample.error(), sample); }));
  CHECK(as_expected([](Lab& l) { l.between("", "", 1, 2, {1, 1.5, 2}); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.between("", "", 1, 2, {1.5, 2.1}); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.between("", "", 1, 2, {NAN}); }));
}

TEST_CASE("lab: what is not found again must fail, and says why") {
  const auto lost = [](double v) { return as_expected([=](Lab& l) { l.not_found_again("", "", 1, 2, {v}, "another network"); }); };
  CHECK(lost(0.5));
  CHECK_FALSE(lost(1.5));
}

TEST_CASE("lab: a conditional statement must be true under its condition and false without it") {
  CHECK(as_expected([](Lab& l) { l.only_if("", "", "", "", true, false); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.only_if("", "", "", "", true, true); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.only_if("", "", "", "", false, false); }));
}

TEST_CASE("lab: the integral over a normal distribution") {
  CHECK(gaussian_mean([](double z) { return z * z * z * z; }) == doctest::Approx(3).epsilon(1e-13));
  CHECK(Phi(1) == doctest::Approx(0.841344746068543).epsilon(1e-14));
}

TEST_CASE("lab: formulas as they are printed") {
  CHECK(symbols("sigma^2 / (sigma^2 + eps), gamma = -2") == "σ² / (σ² + ε), γ = -2");
  CHECK(symbols("1.3e-16 +- 1e+04 (1-a)^(-2t-1) -> 2^24 <- r") == "1.3\u00a0×\u00a010⁻¹⁶ ± 1\u00a0×\u00a010⁴ (1-a)⁻²ᵗ⁻¹ → 2²⁴ ← r");
  CHECK(symbols("betas, dgamma and a mutation; ^ (") == "betas, dγ and a mutation; ^ (");
  CHECK(symbols("^(1-a") == "^(1-a");
  CHECK(html("<W_k, P_jk, m_test> & batch_norm, `two_labs`") ==
        "&lt;W<sub>k</sub>, P<sub>jk</sub>, m<sub>test</sub>&gt; &amp; batch_norm, <code>two_labs</code>");
}

TEST_CASE("lab: what is measured on images is judged on Fashion-MNIST alone") {
  Lab lab({.quick = true, .data_dir = {}});
  lab.images();
  lab.between("", "", 1, 2, {3}, true);
  lab.not_found_again("", "", 1, 2, {1.5}, "");
  lab.only_if("", "", "", "", false, false, true);
  for (const Row& row : lab.rows) CHECK(row.as_expected() == lab.synthetic());
  lab.only_if("", "", "", "", false, false);
  CHECK_FALSE(lab.rows.back().as_expected());
}
