// Storage for tensors: 64-byte aligned blocks from a cache, because page faults cost more than the arithmetic.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "moments.h"
#include "scalar.h"

namespace evenkeel {

// A block of at least `bytes`, uninitialised. Any thread may release it. Throws std::bad_alloc if the blocks in use
// would exceed the memory that was available at the first call.
void* allocate(size_t bytes);
void release(void* block, size_t bytes) noexcept;  // `bytes` as given to allocate()

struct MemoryStats {
  int64_t live_bytes = 0;          // in use
  int64_t peak_bytes = 0;          // the largest live_bytes so far
  int64_t cached_bytes = 0;        // free blocks, kept for reuse
  int64_t system_allocations = 0;  // blocks taken from the system so far; constant in a steady state
};
MemoryStats memory_stats();
void release_cached_memory();  // returns free blocks to the system

// The values of one tensor, or of several that share them; uninitialised.
struct Storage {
  explicit Storage(int64_t size);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void written() {
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    moments.reset();
  }
  real* const data;
  const int64_t size;
  std::atomic<int64_t> version{0};         // incremented by every write: a graph recorded before it is stale
  std::shared_ptr<const Moments> moments;  // of the rows, if the op that wrote them was asked for them; see Epilogue
};

// For tests: fills blocks and scratch with NaN when they are allocated and when they are released, to expose reads
// of uninitialised memory and of memory after its release.
void poison_memory(bool on);
void poison_if_on(void* block, size_t bytes) noexcept;  // for memory of another allocator

}  // namespace evenkeel
