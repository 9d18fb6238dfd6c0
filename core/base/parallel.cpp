// The thread pool: a job is a count of blocks, claimed one at a time from an atomic ticket.
#include "core/base/parallel.h"

#include <pthread.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/check.h"

namespace evenkeel {
namespace {

// Ticket: the job's number, its count of blocks and the next block to claim, in one word. So a thread that wakes late
// can only claim a block of the running job.
constexpr int bits = 21;
constexpr uint64_t mask = (uint64_t{1} << bits) - 1;
constexpr int64_t max_blocks = int64_t{1} << (bits - 1);
// A waiting thread first spins, for about 0.1 ms. Then it yields in a loop; a worker does so for about 1 ms, longer
// than the serial parts of a training step of a small network, and then sleeps.
constexpr int pauses = 2000, yields = 2000;

thread_local bool inside_a_block = false;
constinit thread_local ThreadSettings settings_of_thread;

void pause(int waited) {
  if (waited >= pauses) return std::this_thread::yield();
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // yield does not wait on most processors
#endif
}

class Pool {
 public:
  // Starts fewer threads than requested if the system refuses more.
  explicit Pool(int n) {
    workers_.reserve(static_cast<size_t>(n));
    try {
      while (size() < n) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& e) {
      fmt::print(stderr, "threads: only {} of {} could be started ({}); going on with them\n", size(), n, e.what());
    }
  }
  ~Pool() {
    stop_ = true;
    ticket_ += uint64_t{1} << (2 * bits);
    ticket_.notify_all();
    for (std::thread& t : workers_) t.join();
  }
  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t count, void (*block)(void*, int64_t), void* context) {
    block_ = block;
    context_ = context;
    settings_ = settings_of_thread;
    error_ = nullptr;
    for (first_ = 0; first_ < count && !error_; first_ += max_blocks) {
      const int64_t part = std::min(count - first_, max_blocks);
      done_.store(0, std::memory_order_relaxed);
      const uint64_t number = (ticket_.load(std::memory_order_relaxed) >> (2 * bits)) + 1;
      ticket_.store(number << (2 * bits) | static_cast<uint64_t>(part) << bits, std::memory_order_release);
      ticket_.notify_all();
      claim();
      for (int i = 0; done_.load(std::memory_order_acquire) != part; i = std::min(i + 1, pauses)) pause(i);
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Claims and runs blocks until none is left; returns the last ticket, which has none.
  uint64_t claim() {
    uint64_t t = ticket_.load(std::memory_order_acquire);
    while ((t & mask) < (t >> bits & mask)) {
      if (!ticket_.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel)) continue;
      // The job's fields stay valid: it cannot end before this block is counted as done.
      inside_a_block = true;
      settings_of_thread = settings_;
      try {
        block_(context_, first_ + static_cast<int64_t>(t & mask));
      } catch (...) {
        std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
      inside_a_block = false;
      done_.fetch_add(1, std::memory_order_release);
      t = ticket_.load(std::memory_order_acquire);
    }
    return t;
  }

  void work() {
    for (;;) {
      const uint64_t seen = claim();
      if (stop_) return;  // read after the ticket: a stop that was set before it is visible
      int i = 0;
      while (i < pauses + yields && ticket_.load(std::memory_order_relaxed) == seen) pause(i++);
      if (i == pauses + yields) ticket_.wait(seen);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<bool> stop_{false};
  void (*block_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  int64_t first_ = 0;  // the block with which the ticket's count starts
  ThreadSettings settings_;
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

// Never destroyed: destructors of static objects may run ops, and the end of the program joins no thread.
struct Shared {
  std::mutex mutex;            // held by the thread whose job runs
  std::unique_ptr<Pool> pool;  // null until a job needs it
  Shared* of_parent = nullptr;
};

Shared*& shared() {
  static Shared* now = [] {
    // A forked process has only the thread that called fork(): it gets a new pool without threads and an unlocked
    // mutex.
    pthread_atfork(nullptr, nullptr, [] { shared() = new Shared{.mutex = {}, .pool = {}, .of_parent = shared()}; });
    return new Shared;
  }();
  return now;
}

std::atomic<int> asked_for = 0;  // 0: as many as there are cores

}  // namespace

ThreadSettings& thread_settings() { return settings_of_thread; }

int threads() {
  static const int cores = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most_threads);
  const int n = asked_for;
  return n ? n : cores;
}

void set_threads(int n) {
  check(n >= 1 && n <= most_threads, "threads: must be 1 to {}, got {}", most_threads, n);
  check(!inside_a_block,
        "threads: set_threads() would wait for the block that calls it; call it outside of parallel_for()");
  std::lock_guard lock(shared()->mutex);
  asked_for = n;
  if (shared()->pool && shared()->pool->size() != n) shared()->pool.reset();
}

void run_blocks(int64_t count, void (*block)(void*, int64_t), void* context) {
  if (!inside_a_block && count > 1 && threads() > 1) {
    Shared& now = *shared();
    if (std::unique_lock lock(now.mutex, std::try_to_lock); lock) {
      if (!now.pool) {
        now.pool = std::make_unique<Pool>(threads());
        asked_for = now.pool->size();
      }
      return now.pool->run(count, block, context);
    }
  }
  for (int64_t i = 0; i < count; ++i) block(context, i);
}

}  // namespace evenkeel
