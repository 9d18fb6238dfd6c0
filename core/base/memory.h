// Storage for tensors: 64-byte aligned blocks that were used before, because fresh pages cost more than the arithmetic done on them.
#pragma once
#include <cstddef>
#include <cstdint>

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

// For tests: fills every block and all scratch with NaN bytes as they are handed out and as they are given back, so that
// memory that nobody wrote shows, and memory that somebody else owns by now.
void poison_memory(bool on);
void poison_if_on(void* block, size_t bytes) noexcept;  // for memory from elsewhere

// Memory for a block of work that threads share out: the calling thread's own, kept for its next blocks, and given back in the
// reverse order. How many threads work at a time then shows in no statistics, and no thread waits for another.
void* push_scratch(size_t bytes);
void pop_scratch() noexcept;

template <class T>
struct Scratch {
  explicit Scratch(int64_t n) : data(static_cast<T*>(push_scratch(static_cast<size_t>(n) * sizeof(T)))) {}
  ~Scratch() { pop_scratch(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* const data;
};

}  // namespace evenkeel
