#include "data/pixels.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <set>

#include "core/base/available.h"
#include "core/base/check.h"
#include "core/io/file.h"

namespace evenkeel {
namespace {

constexpr size_t least = size_t{1} << 20;  // smaller ones always go into memory
std::atomic<size_t> assumed = 0;

// Never destroyed: a data set may have static lifetime.
struct Mapped {
  std::mutex mutex;
  std::set<const void*> places;
};
Mapped& mapped() {
  static auto* const all = new Mapped;
  return *all;
}

void* map_file(size_t bytes) {
  const Descriptor file = scratch_file(user_cache(), bytes);
  void* place = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
  if (place == MAP_FAILED) fail(Fault::io, "cannot map {} bytes: {}", bytes, std::strerror(errno));
  const std::lock_guard lock(mapped().mutex);
  mapped().places.insert(place);
  return place;
}

}  // namespace

void assume_free_memory(size_t bytes) { assumed = bytes; }

void* take_pixels(size_t bytes) {
  if (bytes < least) return ::operator new(bytes);
  const size_t available = assumed > 0 ? assumed.load() : memory_available();
  if (bytes <= available / 2) return ::operator new(bytes);
  try {
    return map_file(bytes);
  } catch (const Error& error) {
    const auto megabytes = [](size_t n) { return 1e-6 * static_cast<double>(n); };
    fail(Fault::failed,
         "the images need {:.1f} MB, more than half of the {:.1f} MB of free memory, and the file for them failed: {}. "
         "Make them smaller (--image-size), or set $XDG_CACHE_HOME to a folder with more space",
         megabytes(bytes), megabytes(available), error.what());
  }
}

void give_pixels(void* pixels, size_t bytes) noexcept {
  bool file = false;
  if (bytes >= least) {
    const std::lock_guard lock(mapped().mutex);
    file = mapped().places.erase(pixels) > 0;
  }
  file ? static_cast<void>(::munmap(pixels, bytes)) : ::operator delete(pixels);
}

bool in_file(const void* pixels) {
  const std::lock_guard lock(mapped().mutex);
  return mapped().places.contains(pixels);
}

}  // namespace evenkeel
