// Scratch memory for blocks of work.
#pragma once
#include <cstddef>
#include <cstdint>

namespace evenkeel {

// Scratch memory of the calling thread, kept for its next blocks of work and released in reverse order. Not counted in
// MemoryStats, so peaks do not depend on the number of threads; no thread waits for another.
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
