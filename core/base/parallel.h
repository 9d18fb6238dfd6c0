// One pool of threads. Work is cut into blocks whose size does not depend on the number of threads, so every result has
// the same bits for any number of them.
//
// Threads: any thread may call any of these functions at any time. One job runs at a time; if several threads call
// at once, one gets the pool and the others run their blocks themselves. A forked process has a pool of its own.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace evenkeel {

// The number of threads that work on one job, including the caller; by default the number of cores. The first job
// starts them. If the system cannot start them all, threads() returns the smaller number from then on, and a line on
// stderr says so.
int threads();
inline constexpr int most_threads = 1024;
void set_threads(int n);  // 1 to most_threads; waits for the running job; an error inside a block

struct Shard;

// Settings of a thread. Threads of the pool take them over while they run its blocks.
struct ThreadSettings {
  bool recording = true;   // see autograd.h
  bool bf16 = false;       // see Precision of ops/matmul.h
  Shard* shard = nullptr;  // see shards.h
};
ThreadSettings& thread_settings();

// Runs block(context, i) for i in [0, count), in any order, on any thread; returns when all are done. A call from
// inside a block, or while another thread's job runs, runs its blocks on the calling thread. The first exception a
// block throws is rethrown to the caller; blocks not yet started may be skipped.
void run_blocks(int64_t count, void (*block)(void* context, int64_t i), void* context);

template <class F>
void parallel_for(int64_t count, F&& f) {
  run_blocks(
      count, [](void* context, int64_t i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

constexpr int64_t elementwise_block = 1 << 15;  // 128 KiB of floats: below it a second thread does not pay

// The number of rows of C channels in a block.
inline int64_t row_block(int64_t channels) {
  return std::max<int64_t>(1, elementwise_block / std::max<int64_t>(1, channels));
}

// f(begin, end) over [0, n) in blocks of `block` (the last one shorter). f is called in one place, so that the compiler
// inlines its loop and vectorises it.
template <class F>
void parallel_blocks(int64_t n, int64_t block, F&& f) {
  parallel_for((n + block - 1) / block, [&](int64_t i) { f(i * block, std::min(n, (i + 1) * block)); });
}

}  // namespace evenkeel
