// Scratch memory for blocks of work.
#pragma once
#include <cstddef>
#include <cstdint>

namespace evenkeel {

// A stack of scratch memory for each thread, without locks. push_scratch() returns at least `bytes` bytes, 64-byte
// aligned and uninitialised, or throws std::bad_alloc; pop_scratch() releases the newest block. Blocks are kept for
// reuse until the thread ends. Not counted in MemoryStats, so peaks do not depend on the number of threads.
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
