// Random numbers: the same streams everywhere, and the distributions they claim.
#include "core/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

using namespace evenkeel;

TEST_CASE("SplitMix64's published first values for the seed 1234567") {
  // key 1234567, not mixed: as the generator of the paper is seeded.
  Random random(1234567, 0);
  CHECK(random.bits() == 6457827717110365317u);
  CHECK(random.bits() == 3203168211198807973u);
  CHECK(random.bits() == 9817491932198370423u);
}

TEST_CASE("a stream goes on from its key and counter; split streams depend on key and name alone") {
  Random a(5);
  a.bits();
  Random b(a.key(), a.counter());
  const Random early = Random(5).split(3);
  CHECK(a.split(3).key() == early.key());
  CHECK(a.split(4).key() != early.key());
  for (int i = 0; i < 10; ++i) CHECK(a.bits() == b.bits());
  CHECK(a.counter() == 11);
}

TEST_CASE("all keys of a large grid differ: seeds, their splits, and the splits of these") {
  std::vector<uint64_t> numbers{uint64_t{1} << 32, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 1,
                                0 - uint64_t{0x9e3779b97f4a7c15}};
  for (uint64_t i = 0; i < 64; ++i) numbers.push_back(i);
  std::vector<uint64_t> keys;
  for (uint64_t seed : numbers) {
    const Random root(seed);
    keys.push_back(root.key());
    for (uint64_t name : numbers) {
      const Random child = root.split(name);
      keys.push_back(child.key());
      for (uint64_t second : numbers) keys.push_back(child.split(second).key());
    }
  }
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("streams that are neighbours by seed, name or descent are uncorrelated: their bits agree half of the time") {
  std::vector<std::pair<Random, Random>> neighbours;
  for (uint64_t a = 0; a < 20; ++a) {
    const Random root(a), next(a + 1), child = root.split(a);
    neighbours.insert(neighbours.end(), {{root, next},
                                         {root, child},
                                         {child, child.split(a)},
                                         {child, root.split(a + 1)},
                                         {child, next.split(a + 1)},
                                         {root.split(a + 1), next.split(a)},
                                         {child.split(0), child.split(1)}});
  }
  constexpr int n = 4000;
  int64_t all = 0;
  for (auto& [a, b] : neighbours) {
    int64_t agree = 0;
    double covariance = 0;
    for (int i = 0; i < n; ++i) {
      Random of_a(a.key(), static_cast<uint64_t>(i)), of_b(b.key(), static_cast<uint64_t>(i));
      for (uint64_t bits = ~(of_a.bits() ^ of_b.bits()); bits; bits &= bits - 1) ++agree;
      covariance += (a.uniform() - 0.5) * (b.uniform() - 0.5);
    }
    all += agree;
    // Four standard errors: the bits are 64 n coins; a product of two uniform values around 0 has the deviation 1 / 12.
    CHECK(std::abs(static_cast<double>(agree - 32 * n)) < 4 * std::sqrt(16.0 * n));
    CHECK(std::abs(covariance / n) < 4 / (12 * std::sqrt(n)));
  }
  const auto pairs = static_cast<int64_t>(neighbours.size());
  CHECK(std::abs(static_cast<double>(all - 32 * n * pairs)) < 4 * std::sqrt(16.0 * n * static_cast<double>(pairs)));
}

TEST_CASE("moments and ranges") {
  Random random(1);
  constexpr int n = 200'000;
  double sum = 0, squares = 0, fourth = 0, low = 1, high = 0, uniform = 0;
  for (int i = 0; i < n; ++i) {
    const double v = random.normal(), u = random.uniform();
    sum += v, squares += v * v, fourth += v * v * v * v, uniform += u;
    low = std::min(low, u), high = std::max(high, u);
  }
  // Five standard errors.
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth / n - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(uniform / n - 0.5) < 5 / std::sqrt(12.0 * n));
  CHECK((low >= 0 && low < 1e-4 && high < 1 && high > 1 - 1e-4));
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform(-3, -1);
    CHECK((u >= -3 && u < -1));
  }
}

TEST_CASE("a normal number is that of the polar method with the logarithm of libm, to the last digits") {
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {
    Random same = random;
    double u = 0, s = 0;
    do {
      u = 2 * same.uniform() - 1;
      const double v = 2 * same.uniform() - 1;
      s = u * u + v * v;
    } while (s >= 1 || s == 0);
    const double expected = u * std::sqrt(-2 * std::log(s) / s);
    CHECK(std::abs(random.normal() - expected) <= 2e-15 * std::abs(expected));
    CHECK(random.counter() == same.counter());
  }
}

TEST_CASE("below(n): each of 0 .. n-1 as often as any other; a permutation has each once, every place can hold any") {
  Random random(2);
  int counts[7] = {}, first[5] = {};
  for (int i = 0; i < 70'000; ++i) ++counts[random.below(7)];
  for (int c : counts) CHECK(std::abs(c - 10'000) < 500);
  CHECK(random.below(1) == 0);
  int low = 0;  // a third of three quarters of all numbers
  for (int i = 0; i < 10'000; ++i) low += random.below(uint64_t{3} << 62) < uint64_t{1} << 62;
  CHECK(std::abs(low - 3333) < 250);
  for (int i = 0; i < 5000; ++i) {
    std::vector<int64_t> p = random.permutation(5);
    ++first[p[0]];
    std::sort(p.begin(), p.end());
    CHECK(p == std::vector<int64_t>{0, 1, 2, 3, 4});
  }
  for (int c : first) CHECK(std::abs(c - 1000) < 150);
}
