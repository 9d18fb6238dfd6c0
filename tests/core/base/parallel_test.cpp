// Threads: every block once, exceptions reach the caller, calls within calls.
#include "core/base/parallel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/base/memory.h"
#include "core/ops/elementwise.h"
#include "tests/scratch.h"

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
    CHECK_THROWS_WITH_AS(parallel_for(20,
                                      [](int64_t i) {
                                        if (i == 11) throw std::runtime_error("eleven");
                                      }),
                         "eleven", std::runtime_error);
    std::atomic<int> sum = 0;
    parallel_for(20, [&](int64_t i) { sum += static_cast<int>(i); });
    CHECK(sum == 190);
  }
  set_threads(before);
}

TEST_CASE("of many exceptions the first reaches the caller") {
  const int before = threads();
  for (const int n : {1, 3}) {
    set_threads(n);
    std::atomic<int> thrown = 0;
    int got = -1;
    try {
      parallel_for(1000, [&](int64_t) { throw thrown++; });
    } catch (const int number) {
      got = number;
    }
    CHECK(got >= 0);
    CHECK(got < n);  // another thread may have been between its throw and its report
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
    std::vector<std::future<void>> others;
    for (int t = 0; t < 3; ++t)
      others.push_back(std::async(std::launch::async, [&] {
        for (int i = 0; i < 50; ++i) parallel_for(4, [&](int64_t) { ++outer; });
      }));
  }
  CHECK(outer == 3 * 50 * 4);
  set_threads(before);
}

namespace {

// Blocks that wait for each other, which no thread can do alone.
class Meeting {
 public:
  void wait_for(int blocks) {
    ++there_;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (there_ < blocks && met_)
      if (std::chrono::steady_clock::now() > end) met_ = false;
  }
  bool met() const { return met_; }

 private:
  std::atomic<int> there_ = 0;
  std::atomic<bool> met_ = true;
};

bool two_at_a_time() {
  Meeting meeting;
  parallel_for(2, [&](int64_t) { meeting.wait_for(2); });
  return meeting.met();
}

// What f() returns in a fork of this process, which ends in the ordinary way; -1 where it does not end.
template <class F>
int in_fork(F f) {
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    std::exit(f());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int64_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

#if defined(__SANITIZE_THREAD__)
constexpr bool forks_may_start_threads = false;
#else
constexpr bool forks_may_start_threads = true;
#endif

bool adds_up() {  // a job whose result is known
  std::atomic<int64_t> sum = 0;
  parallel_for(100, [&](int64_t i) { sum += i; });
  return sum == 4950;
}

}  // namespace

TEST_CASE("two blocks run on two threads at a time, after an idle time too") {
  const int before = threads();
  set_threads(2);
  CHECK(two_at_a_time());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // by then the other thread sleeps
  CHECK(two_at_a_time());
  parallel_for(100, [](int64_t) {});
  CHECK(two_at_a_time());
  CHECK_THROWS_AS(parallel_for(2, [](int64_t) { throw std::runtime_error("block"); }), std::runtime_error);
  CHECK(two_at_a_time());
  set_threads(before);
}

TEST_CASE("more blocks than a ticket has room for: each is done once, on all threads") {
  const int before = threads();
  set_threads(2);
  constexpr int64_t count = (int64_t{1} << 21) + 3;
  std::vector<uint8_t> done(count);
  Meeting meeting;
  parallel_for(count, [&](int64_t i) {
    ++done[static_cast<size_t>(i)];
    if (i < 2 || i >= count - 2) meeting.wait_for(i < 2 ? 2 : 4);  // two of the first part, and of the last
  });
  CHECK(meeting.met());
  CHECK(std::ranges::count(done, 1) == count);
  const auto fails = [](int64_t i) {
    if (i == count - 1) throw std::runtime_error("last");
  };
  CHECK_THROWS_WITH_AS(parallel_for(count, fails), "last", std::runtime_error);
  set_threads(before);
}

TEST_CASE("blocks see whether their caller records, on whatever thread they run") {
  const int before = threads();
  set_threads(2);
  const Tensor x = Tensor::scalar(2).track();
  const auto recorded = [&] {  // by two blocks on two threads
    Meeting meeting;
    std::atomic<int> yes = 0;
    parallel_for(2, [&](int64_t) {
      meeting.wait_for(2);
      yes += recording() && (x * x).tracked();
      const Recording other(!recording());  // for this block alone
    });
    CHECK(meeting.met());
    return yes.load();
  };
  CHECK(recorded() == 2);
  {
    const Recording off(false);
    CHECK(recorded() == 0);
    {
      const Recording on(true);
      CHECK(recorded() == 2);
    }
    CHECK(recorded() == 0);
  }
  CHECK(recorded() == 2);
  set_threads(before);
}

TEST_CASE("set_threads inside a block is an error, on every thread, and changes nothing") {
  const int before = threads();
  set_threads(2);
  Meeting meeting;
  std::atomic<int> refused = 0;
  parallel_for(2, [&](int64_t) {
    meeting.wait_for(2);
    try {
      set_threads(3);
    } catch (const Error& e) {
      refused += std::string(e.what()).find("outside of parallel_for()") != std::string::npos;
    }
    CHECK(threads() == 2);
  });
  CHECK(meeting.met());
  CHECK(refused == 2);
  CHECK(threads() == 2);
  set_threads(before);
}

TEST_CASE("the number of threads changes while others ask for it and run jobs") {
  const int before = threads();
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::future<void>> others;
  for (int t = 0; t < 2; ++t)
    others.push_back(std::async(std::launch::async, [&] {
      while (!stop) {
        const int n = threads();
        wrong += n < 1 || n > 3;
        wrong += !adds_up();
      }
    }));
  set_threads(3);
  for (int i = 0; i < 300; ++i) {
    set_threads(1 + i % 3);
    wrong += !adds_up();
  }
  stop = true;
  others.clear();
  CHECK(wrong == 0);
  set_threads(before);
}

#if defined(__linux__)
TEST_CASE("threads start with the first job that can use them") {
  if (!forks_may_start_threads) return;
  const int before = threads();
  set_threads(4);
  CHECK(in_fork([] {
          const int64_t at_first = threads_of_process();
          set_threads(3);
          if (threads() != 3 || threads_of_process() != at_first) return 1;
          parallel_for(1, [](int64_t) {});
          if (threads_of_process() != at_first) return 2;
          if (!adds_up() || threads_of_process() != at_first + 2) return 3;
          return 0;
        }) == 0);
  set_threads(before);
}

TEST_CASE("with fewer threads than asked for a program goes on, and says so once") {
  const int before = threads();
  set_threads(1);
  pthread_attr_t normal, huge;  // of a stack that does not fit into the address space
  REQUIRE(pthread_getattr_default_np(&normal) == 0);
  pthread_attr_init(&huge);
  pthread_attr_setstacksize(&huge, size_t{1} << 48);
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  const ::Scratch files;  // of tests/scratch.h
  std::fflush(stderr);
  const int standard = dup(2), file = open((files / "stderr").c_str(), O_CREAT | O_WRONLY, 0600);
  dup2(file, 2);
  set_threads(3);
  const bool first = adds_up(), second = adds_up();
  const int number = threads();
  std::fflush(stderr);
  dup2(standard, 2);
  close(standard), close(file);
  pthread_setattr_default_np(&normal);
  CHECK(first);
  CHECK(second);
  CHECK(number == 1);
  const std::string said = (std::ostringstream() << std::ifstream(files / "stderr").rdbuf()).str();
  CHECK(said.starts_with("threads: only 1 of 3 could be started ("));
  CHECK(std::ranges::count(said, '\n') == 1);
  set_threads(2);  // asked for again, now that there are more
  CHECK(two_at_a_time());
  set_threads(before);
}
#endif

TEST_CASE("a fork runs jobs on threads of its own, and ends") {
  const int before = threads();
  set_threads(3);
  CHECK(adds_up());  // the parent's threads run
  CHECK(in_fork([] { return 7; }) == 7);
  if (forks_may_start_threads)
    CHECK(in_fork([] {
            if (threads() != 3 || !two_at_a_time() || !adds_up()) return 1;
            const int grandchild = in_fork([] { return adds_up() ? 7 : 1; });
            set_threads(2);
            return grandchild == 7 && two_at_a_time() ? 7 : 2;
          }) == 7);
  CHECK(two_at_a_time());  // the parent's are unharmed
  set_threads(before);
}

TEST_CASE("a fork that is made while other threads allocate can allocate") {
  std::atomic<bool> stop = false;
  std::vector<std::future<void>> others;
  for (int t = 0; t < 2; ++t)
    others.push_back(std::async(std::launch::async, [&] {
      while (!stop) release(allocate(1000), 1000);
    }));
  int ended = 0;
  for (int i = 0; i < 20; ++i)
    ended += in_fork([]() -> int {
               release(allocate(5000), 5000);
               _exit(7);  // without the leak sanitiser, to which blocks of the other threads at the fork are lost
             }) == 7;
  stop = true;
  CHECK(ended == 20);
}
