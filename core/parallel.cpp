// The thread pool: a job is a count of blocks, claimed one at a time from an atomic ticket.
#include "core/parallel.h"

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/check.h"

namespace evenkeel {
namespace {

// Ticket: the job's number, its count of blocks and the next block to claim, in one word, so that a thread
// that wakes late can only ever claim a block of the job that is running.
constexpr int bits = 21;
constexpr uint64_t mask = (uint64_t{1} << bits) - 1;
constexpr int64_t max_blocks = int64_t{1} << (bits - 1);
constexpr int spins = 2000;  // about 40 us: longer than the gap between two ops of a small network

thread_local bool inside_a_block = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Pool {
 public:
  explicit Pool(int n) {
    for (int i = 1; i < n; ++i) workers_.emplace_back([this] { work(); });
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
    error_ = nullptr;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t number = (ticket_.load(std::memory_order_relaxed) >> (2 * bits)) + 1;
    ticket_.store(number << (2 * bits) | static_cast<uint64_t>(count) << bits, std::memory_order_release);
    ticket_.notify_all();
    claim();
    while (done_.load(std::memory_order_acquire) != count) pause();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Claims and runs blocks until none is left; returns the ticket that had none.
  uint64_t claim() {
    uint64_t t = ticket_.load(std::memory_order_acquire);
    while ((t & mask) < (t >> bits & mask)) {
      if (!ticket_.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel)) continue;
      // Block and context stay valid: the job cannot end before this block is counted as done.
      inside_a_block = true;
      try {
        block_(context_, static_cast<int64_t>(t & mask));
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
    while (!stop_) {
      const uint64_t seen = claim();
      int i = 0;
      while (i < spins && ticket_.load(std::memory_order_relaxed) == seen) ++i, pause();
      if (i == spins) ticket_.wait(seen);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<bool> stop_{false};
  void (*block_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

std::mutex pool_mutex;
std::unique_ptr<Pool>& pool() {
  static auto p = std::make_unique<Pool>(std::max(1u, std::thread::hardware_concurrency()));
  return p;
}

}  // namespace

int threads() { return pool()->size(); }

void set_threads(int n) {
  check(n >= 1 && n <= 1024, "threads: must be 1 to 1024, got {}", n);
  std::lock_guard lock(pool_mutex);
  if (pool()->size() != n) pool() = std::make_unique<Pool>(n);
}

void run_blocks(int64_t count, void (*block)(void*, int64_t), void* context) {
  if (!inside_a_block && count > 1 && count < max_blocks) {
    std::unique_lock lock(pool_mutex, std::try_to_lock);
    if (lock && pool()->size() > 1) return pool()->run(count, block, context);
  }
  for (int64_t i = 0; i < count; ++i) block(context, i);
}

}  // namespace evenkeel
