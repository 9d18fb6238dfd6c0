// Storage for tensors: 64-byte aligned blocks from a size-bucketed free list, because fresh pages cost more
// than the arithmetic done on them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace evenkeel {

// A block of at least `bytes`, its contents unspecified. Any thread may release what another allocated.
void* allocate(size_t bytes);
void release(void* block, size_t bytes) noexcept;  // `bytes` as they were asked for

struct MemoryStats {
  int64_t live_bytes = 0;          // handed out
  int64_t peak_bytes = 0;          // the largest live_bytes so far
  int64_t cached_bytes = 0;        // in the free list
  int64_t system_allocations = 0;  // blocks taken from the system so far; constant in a steady state
};
MemoryStats memory_stats();
void release_cached_memory();  // gives the free list back to the system

// For tests: fills every block handed out with NaN bytes, so that memory nobody wrote shows.
void poison_memory(bool on);

}  // namespace evenkeel
