// A batch in shards that compute in lock-step and give the results of the whole batch. A sum over the shards is taken
// in an order that depends only on their number, not on threads, processes or hosts.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "parallel.h"

namespace evenkeel {

// The index of the first of n examples that belongs to a shard; shard number `shards` begins at n. The shards are
// contiguous, and their sizes differ by one at most.
inline int64_t shard_begin(int64_t n, int64_t shard, int64_t shards) { return n * shard / shards; }

// The processes that share the work. All calls of one object come from one thread. A call throws Error or ends this
// process if the other process is lost.
struct Processes {
  virtual ~Processes() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  virtual void send(int64_t to, const void* data, size_t bytes) = 0;
  virtual void receive(int64_t from, void* data, size_t bytes) = 0;
  // swap() sends `out` to process `with` and receives `in` from it at the same time. It calls arrived(begin, end), if
  // given, when the bytes [begin, end) of `in` have arrived: parts in order, all but the last end at a multiple of 8.
  using Arrived = std::function<void(size_t begin, size_t end)>;
  virtual void swap(int64_t with, const void* out, size_t bytes_out, void* in, size_t bytes_in,
                    const Arrived& arrived = {}) = 0;
};

// into = the merged values of `into` (the lower shards) and `from`. Must be associative up to rounding.
struct Merge {
  void (*merge)(void* into, const void* from, size_t bytes);
  size_t unit = 0;  // bytes that merge independently of all others, as a number of a sum; 0: values cannot be split
};

template <class Number>
Merge sum_of() {
  const auto add = [](void* into, const void* from, size_t bytes) {
    auto* a = static_cast<Number*>(into);
    const auto* b = static_cast<const Number*>(from);
    parallel_blocks(static_cast<int64_t>(bytes / sizeof(Number)), elementwise_block, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) a[i] += b[i];
    });
  };
  return {add, sizeof(Number)};
}

class Shards;

// A shard, as the thread that computes it sees it.
struct Shard {
  Shards* all;
  int64_t index;                       // from 0, of all->count()
  int64_t begin = 0, end = 0, of = 0;  // it has the examples [begin, end) of a batch of `of`

  // All-reduce: merges the values of all shards in a binary tree (shard i takes in i + 1, then i + 2, i + 4 ...), and
  // writes the result to the `values` of every shard. Every shard must call it, with the same `bytes`: run() throws
  // Error(Fault::usage) if a shard of this process does not.
  void fold(void* values, size_t bytes, Merge merge);
  template <class Number>
  void sum(Number* values, int64_t n) {
    fold(values, static_cast<size_t>(n) * sizeof(Number), sum_of<Number>());
  }
};

// The shard that this thread computes, or null. Ops that look at a whole batch look at all shards.
Shard* this_shard();
class InShard {  // sets this_shard() for a scope; null: what is computed there concerns this shard alone
 public:
  explicit InShard(Shard* shard);
  ~InShard();
  InShard(const InShard&) = delete;
  InShard& operator=(const InShard&) = delete;

 private:
  Shard* before_;
};

// The shards of a process; with `processes`, which divide `count` into equal parts and must outlive it, rank r has the
// r-th part of them.
class Shards {
 public:
  explicit Shards(int64_t count, Processes* processes = nullptr);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  int64_t count() const { return count_; }  // in all processes
  int64_t first() const { return first_; }  // of this process
  int64_t here() const { return here_; }    // in this process

  // Calls f(i) for i in [0, here()), with this_shard() set to shard first() + i of a batch of n examples. Each shard
  // has its own thread, the last shard the caller's. One shard computes at a time, with the whole pool; at its next
  // fold() it waits until all shards have come there. Rethrows the first error.
  void run(int64_t n, const std::function<void(int64_t i)>& f);

  // As Shard::fold, outside of run(): each[i] are the values of this process's i-th shard. each[0] gets the result, the
  // others are overwritten.
  void fold(const std::vector<void*>& each, size_t bytes, Merge merge);

 private:
  friend Shard;
  void work(int64_t i);
  void attempt(int64_t i);
  void meet(int64_t i, void* values, size_t bytes, Merge merge);  // fold(), by the thread of shard i
  void fold_in_pairs(std::byte* values, size_t bytes, Merge merge);
  void give_turn(int64_t to, std::unique_lock<std::mutex>& lock);

  const int64_t count_;
  Processes* const processes_;
  int64_t first_, here_;
  std::vector<Shard> shards_;
  std::vector<std::byte> received_;

  struct Meeting {
    void* values = nullptr;
    size_t bytes = 0;
    bool done = true;  // with f
    std::exception_ptr error;
  };
  std::vector<Meeting> meetings_;
  const std::function<void(int64_t)>* f_ = nullptr;
  ThreadSettings settings_;  // of the caller of run()
  std::mutex mutex_;
  std::condition_variable next_;
  int64_t turn_ = -1;    // the shard that computes
  bool broken_ = false;  // a shard has failed: no fold of this run can succeed
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace evenkeel
