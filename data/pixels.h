// The pixels of a data set: in memory, or in a mapped file if they need more than half of the free memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel {

// Allocates and frees memory for pixels. The file is in user_cache(). It has no name, so no other process can truncate
// it, and it disappears with the process. Its disk space is reserved at once. Error(Fault::failed) if the disk is full
// too. Thread-safe.
void* take_pixels(size_t bytes);
void give_pixels(void* pixels, size_t bytes) noexcept;
bool in_file(const void* pixels);  // whether take_pixels put them into a file

void assume_free_memory(size_t bytes);  // for tests: sets the free memory; 0: as the system says

template <class T>
struct PixelAllocator {
  using value_type = T;
  PixelAllocator() = default;
  template <class U>
  PixelAllocator(const PixelAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(take_pixels(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { give_pixels(p, n * sizeof(T)); }
  bool operator==(const PixelAllocator&) const { return true; }
};

class Pixels : public std::vector<uint8_t, PixelAllocator<uint8_t>> {
  using Base = std::vector<uint8_t, PixelAllocator<uint8_t>>;

 public:
  using Base::Base;
  Pixels(const std::vector<uint8_t>& other) : Base(other.begin(), other.end()) {}
  bool operator==(const std::vector<uint8_t>& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }
};

}  // namespace evenkeel
