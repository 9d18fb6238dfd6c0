#include "core/kernels/gemm.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

#include "core/base/parallel.h"
#include "core/engine/tensor.h"
#include "core/kernels/blas.h"

using namespace evenkeel;

namespace {

// The rest of its life OpenBLAS multiplies.
struct ByBlas {
  ByBlas() { use_blas(true); }
  ~ByBlas() { use_blas(false); }
};

// Every form against the sum written out in double, at sizes that leave all kinds of rests; what lies between the rows
// stays.
void check_gemm() {
  Random random(7);
  const int64_t sizes[] = {1, 2, 5, 13, 14, 15, 16, 17, 29, 31, 32, 33, 47, 48, 50, 64, 65, 100, 116};
  auto pick = [&] { return sizes[random.below(std::size(sizes))]; };
  for (int round = 0; round < 400; ++round) {
    const bool ta = random.below(2), tb = random.below(2), add = random.below(2);
    const int64_t m = pick(), n = pick(), k = round % 10 == 0 ? 256 + pick() : pick();
    const int64_t gap = static_cast<int64_t>(random.below(40));
    const int64_t lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + gap;
    const Tensor a = Tensor::normal({(ta ? k : m) * lda}, random), b = Tensor::normal({(tb ? n : k) * ldb}, random);
    Tensor c = Tensor::normal({m * ldc}, random);
    const Tensor before = c.clone();
    gemm(ta, tb, m, n, k, a.data(), lda, b.data(), ldb, add, c.mutable_data(), ldc);
    double worst = 0;
    bool untouched = true;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < ldc; ++j) {
        const double got = static_cast<double>(c.data()[i * ldc + j]),
                     old = static_cast<double>(before.data()[i * ldc + j]);
        if (j >= n) {
          untouched = untouched && got == old;
          continue;
        }
        double sum = add ? old : 0;
        for (int64_t p = 0; p < k; ++p)
          sum += static_cast<double>(a.data()[ta ? p * lda + i : i * lda + p]) *
                 static_cast<double>(b.data()[tb ? j * ldb + p : p * ldb + j]);
        worst = std::max(worst, std::abs(got - sum));
      }
    CAPTURE(ta);
    CAPTURE(tb);
    CAPTURE(add);
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CHECK(worst <= 1e-6 * static_cast<double>(k + 10));
    CHECK(untouched);
  }
}

}  // namespace

TEST_CASE("gemm is the sum over k, for any sizes, strides and forms") { check_gemm(); }

TEST_CASE("OpenBLAS computes the same products, packed ones too" * doctest::skip(blas_description() == nullptr)) {
  const ByBlas on;
  check_gemm();
  Random random(11);
  const int64_t m = 9, n = 70, k = 20;
  const Tensor a = Tensor::normal({m, k}, random), b = Tensor::normal({n, k}, random);
  std::vector<int64_t> rows, columns;
  for (int64_t i = 0; i < m; ++i) rows.push_back(i * k);
  for (int64_t p = 0; p < k; ++p) columns.push_back(p);
  std::vector<real> packed(static_cast<size_t>(packed_size(n, k)));
  pack(true, n, k, b.data(), k, packed.data());
  Tensor in_rows = Tensor::empty({m, n}), scattered = Tensor::empty({m, n});
  for (int64_t begin = 0; begin < n; begin += 64) {
    const int64_t end = std::min(begin + 64, n);
    gemm_packed(m, n, k, a.data(), k, packed.data(), in_rows.mutable_data(), begin, end);
    gemm_packed(m, n, k, {a.data(), rows.data(), columns.data()}, packed.data(), false, scattered.mutable_data(), begin,
                end);
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += static_cast<double>(a.data()[i * k + p]) * static_cast<double>(b.data()[j * k + p]);
      CHECK(static_cast<double>(in_rows.data()[i * n + j]) == doctest::Approx(sum).epsilon(1e-5));
      CHECK(static_cast<double>(scattered.data()[i * n + j]) == doctest::Approx(sum).epsilon(1e-5));
    }
}

TEST_CASE("gemm_packed is the sum over k too, for an A in rows and for one that lies scattered") {
  Random random(8);
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                {13, 16, 5},
                                {29, 40, 300},
                                {6, 130, 17},
                                {14, 64, 256},
                                {5, 3, 600},
                                {57, 116, 300},
                                {62, 50, 20}})
    for (const bool add : {false, true}) {
      std::vector<int64_t> rows, columns;
      for (int64_t i = 0; i < m; ++i) rows.push_back(static_cast<int64_t>(random.below(500)));
      for (int64_t p = 0; p < k; ++p) columns.push_back(static_cast<int64_t>(random.below(500)));
      const Tensor memory = Tensor::normal({1000}, random), b = Tensor::normal({k, n}, random);
      Tensor a = Tensor::empty({m, k});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t p = 0; p < k; ++p)
          a.mutable_data()[i * k + p] = memory.data()[rows[static_cast<size_t>(i)] + columns[static_cast<size_t>(p)]];
      const Tensor before = Tensor::normal({m, n}, random);
      Tensor expected = before.clone(), scattered = before.clone(), in_rows = Tensor::empty({m, n});
      std::vector<real> packed(static_cast<size_t>(packed_size(n, k)));
      pack(false, n, k, b.data(), n, packed.data());
      gemm(false, false, m, n, k, a.data(), k, b.data(), n, add, expected.mutable_data(), n);
      for (int64_t begin = 0; begin < n; begin += 64) {
        const int64_t end = std::min(begin + 64, n);
        gemm_packed(m, n, k, {memory.data(), rows.data(), columns.data()}, packed.data(), add, scattered.mutable_data(),
                    begin, end);
        gemm_packed(m, n, k, a.data(), k, packed.data(), in_rows.mutable_data(), begin, end);
      }
      if (!add) CHECK(in_rows.values() == expected.values());
      double worst = 0;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = add ? static_cast<double>(before.data()[i * n + j]) : 0;
          for (int64_t p = 0; p < k; ++p)
            sum += static_cast<double>(a.data()[i * k + p]) * static_cast<double>(b.data()[p * n + j]);
          worst = std::max(worst, std::abs(static_cast<double>(scattered.data()[i * n + j]) - sum));
        }
      CHECK(worst <= 1e-6 * static_cast<double>(k + 10));
    }
}

TEST_CASE("a product of a long inner dimension is the sum over all of it, whatever is left of the last part") {
  Random random(12);
  const int64_t m = 17, n = 9;
  for (const int64_t k : {4095, 4096, 4097, 5000, 6143}) {
    CAPTURE(k);
    const Tensor a = Tensor::normal({m, k}, random), b = Tensor::normal({k, n}, random);
    Tensor c = Tensor::empty({m, n});
    gemm_blocked(false, false, m, n, k, a.data(), b.data(), c.mutable_data());
    double worst = 0;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p)
          sum += static_cast<double>(a.data()[i * k + p]) * static_cast<double>(b.data()[p * n + j]);
        worst = std::max(worst, std::abs(static_cast<double>(c.data()[i * n + j]) - sum));
      }
    CHECK(worst <= 1e-6 * static_cast<double>(k));
  }
}

TEST_CASE("gemm: a sum over nothing is zero, or adds nothing") {
  real c[] = {1, 2, 3, 4};
  gemm(false, false, 2, 2, 0, nullptr, 1, nullptr, 2, true, c, 2);
  CHECK(c[3] == 4);
  gemm(false, false, 2, 2, 0, nullptr, 1, nullptr, 2, false, c, 2);
  CHECK(c[0] == 0);
  CHECK(c[3] == 0);
}

TEST_CASE("gemm: NaN and infinity come through, to their own rows and columns alone") {
  const real infinity = std::numeric_limits<real>::infinity();
  for (const bool ta : {false, true})
    for (const int64_t n : {16, 20})
      for (const int64_t k : {1, 39, 40})
        for (const int64_t m : {3, 16}) {
          CAPTURE(ta);
          CAPTURE(n);
          CAPTURE(k);
          CAPTURE(m);
          Tensor a = Tensor::zeros({m * k}), b = Tensor::full({k * n}, 1), c = Tensor::empty({m * n});
          const auto multiply = [&] {
            gemm(ta, false, m, n, k, a.data(), ta ? m : k, b.data(), n, false, c.mutable_data(), n);
          };
          // A zero does not hide an infinity of B.
          b.mutable_data()[k * n - 1] = infinity;
          multiply();
          for (int64_t i = 0; i < m * n; ++i) CHECK((i % n == n - 1 ? std::isnan(c.data()[i]) : c.data()[i] == 0));
          b = Tensor::full({k * n}, 1);
          a.mutable_data()[ta ? (k - 1) * m + 1 : 2 * k - 1] = infinity;  // row 1
          multiply();
          for (int64_t i = 0; i < m * n; ++i) CHECK(c.data()[i] == (i / n == 1 ? infinity : 0));
        }
}
