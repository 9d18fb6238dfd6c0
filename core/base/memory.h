// Storage for tensors: 64-byte aligned blocks that were used before, because fresh pages cost more than the arithmetic done on them.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/scalar.h"

namespace evenkeel {

// A block of at least `bytes`, its contents unspecified. Any thread may release what another allocated. std::bad_alloc where the blocks in use
// would be more than the memory that was available at the first call.
void* allocate(size_t bytes);
void release(void* block, size_t bytes) noexcept;  // `bytes` as they were asked for

struct MemoryStats {
  int64_t live_bytes = 0;          // handed out
  int64_t peak_bytes = 0;          // the largest live_bytes so far
  int64_t cached_bytes = 0;        // used before, and free
  int64_t system_allocations = 0;  // blocks taken from the system so far; constant in a steady state
};
MemoryStats memory_stats();
void release_cached_memory();  // gives what is free back to the system

// The values of tensors that share them, unspecified at first.
struct Storage {
  explicit Storage(int64_t size);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void written() { version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  real* const data;
  const int64_t size;
  std::atomic<int64_t> version{0};  // another one whenever somebody may have written: what was recorded before is stale
};

// For tests: fills every block and all scratch with NaN bytes as they are handed out and as they are given back, so that
// memory that nobody wrote shows, and memory that somebody else owns by now.
void poison_memory(bool on);
void poison_if_on(void* block, size_t bytes) noexcept;  // for memory from elsewhere

}  // namespace evenkeel
