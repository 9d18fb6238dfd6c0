// Threads: every block once, exceptions reach the caller, calls within calls.
#include "core/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/check.h"

using namespace evenkeel;

TEST_CASE("every block is done once, for any number of threads") {
  const int before = threads();
  for (int n : {1, 2, 3, 8}) {
    set_threads(n);
    CHECK(threads() == n);
    for (int64_t count : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> done(100);
      parallel_for(count, [&](int64_t i) { ++done[static_cast<size_t>(i)]; });
      for (int64_t i = 0; i < 100; ++i) CHECK(done[static_cast<size_t>(i)] == (i < count ? 1 : 0));
    }
  }
  CHECK_THROWS_AS(set_threads(0), Error);
  set_threads(before);
}

TEST_CASE("blocks cover [0, n) and depend on n and the block's size alone") {
  for (int64_t n : {0, 1, 9, 10, 11, 20, 95}) {
    std::vector<std::atomic<int>> done(static_cast<size_t>(n));
    parallel_blocks(n, 10, [&](int64_t begin, int64_t end) {
      CHECK(begin % 10 == 0);
      CHECK(end == std::min<int64_t>(n, begin + 10));
      for (int64_t i = begin; i < end; ++i) ++done[static_cast<size_t>(i)];
    });
    for (const auto& d : done) CHECK(d == 1);
  }
}

TEST_CASE("an exception in a block reaches the caller, and the threads go on working") {
  const int before = threads();
  for (int n : {1, 3}) {
    set_threads(n);
    CHECK_THROWS_WITH_AS(parallel_for(20, [](int64_t i) { if (i == 11) throw std::runtime_error("eleven"); }), "eleven", std::runtime_error);
    std::atomic<int> sum = 0;
    parallel_for(20, [&](int64_t i) { sum += static_cast<int>(i); });
    CHECK(sum == 190);
  }
  set_threads(before);
}

TEST_CASE("a call within a call, and calls from several threads at once, do all their blocks") {
  const int before = threads();
  set_threads(3);
  std::atomic<int> inner = 0;
  parallel_for(8, [&](int64_t) { parallel_for(5, [&](int64_t) { ++inner; }); });
  CHECK(inner == 40);
  std::atomic<int> outer = 0;
  {
    std::vector<std::jthread> others;
    for (int t = 0; t < 3; ++t)
      others.emplace_back([&] {
        for (int i = 0; i < 50; ++i) parallel_for(4, [&](int64_t) { ++outer; });
      });
  }
  CHECK(outer == 3 * 50 * 4);
  set_threads(before);
}
