// The pixels of a data set: in memory, or in a mapped file where they would take more than half of the free memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel {

// Memory for pixels. The file lies in user_cache(), has no name, so that nobody else can make it shorter, and is gone
// with the process; its room on the disk is set aside at once. Error(Fault::failed) where there is none either. Any
// thread may call these.
void* take_pixels(size_t bytes);
void give_pixels(void* pixels, size_t bytes) noexcept;
bool in_file(const void* pixels);  // whether that is where take_pixels put them

void assume_free_memory(size_t bytes);  // for tests: takes this for the free memory; 0: asks the system

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
