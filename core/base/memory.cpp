// The caching allocator. Small blocks: four buckets per power of two (at most a quarter of a block is wasted), last in
// first out. Large blocks: first fit in one range of addresses, where free neighbours are merged. So memory that the
// backward pass frees in the last layers serves the larger blocks of earlier layers.
#include "core/base/memory.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "core/base/available.h"
#include "core/base/huge_pages.h"
#include "core/base/processor.h"

namespace evenkeel {
namespace {

[[gnu::used]] const bool* const linked = &processor_checked;  // links the check into every program

constexpr size_t alignment = 64;
constexpr size_t large = 2 * huge_page;

struct Bucket {
  int index;
  size_t size;
};

// Sizes 64, then (4 + j) * 2^k for j = 0..3: 64 80 96 112 128 160 ... each rounded up to the alignment.
Bucket bucket_of(size_t bytes) {
  bytes = std::max(bytes, alignment);
  const int k = std::bit_width(bytes - 1) - 3;  // bytes in (4 * 2^k, 8 * 2^k]
  const size_t step = size_t{1} << k;
  const size_t j = (bytes - 1) / step - 3;  // 1..4
  const size_t size = (4 + j) * step;
  return {k * 4 + static_cast<int>(j), (size + alignment - 1) / alignment * alignment};
}

// The size of a large block in the range: whole pages.
size_t in_range(size_t bytes) { return (bytes + 0xffff) / 0x10000 * 0x10000; }

// The range of addresses, reserved at first use; pages that were never touched take no memory.
class Range {
 public:
  explicit Range(size_t most) : size_(most) {}
  // The lowest free place of this size, or null if there is none; `fresh` is set if it lies beyond all earlier places.
  void* take(size_t size, bool& fresh) {
    if (!begin_) reserve();
    auto place = free_.begin();
    while (place != free_.end() && place->second < size) ++place;
    if (place == free_.end()) return nullptr;
    const auto [at, length] = *place;
    if (at + size > usable_) {  // reserved addresses cost nothing, but the system may refuse to commit more
      const size_t more = (at + size - usable_ + huge_page - 1) / huge_page * huge_page;
      if (mprotect(begin_ + usable_, more, PROT_READ | PROT_WRITE) != 0) return nullptr;
      usable_ += more;
    }
    free_.erase(place);
    if (length > size) free_.emplace(at + size, length - size);
    cached_ -= std::min(cached_, std::min(at + size, touched_) - at);
    fresh = at + size > touched_;
    touched_ = std::max(touched_, at + size);
    return begin_ + at;
  }
  bool has(const void* block) const { return begin_ && block >= begin_ && block < begin_ + size_; }
  void give(void* block, size_t size) {
    size_t at = static_cast<size_t>(static_cast<char*>(block) - begin_);
    cached_ += size;
    auto next = free_.lower_bound(at);
    if (next != free_.end() && next->first == at + size) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin())
      if (const auto before = std::prev(next); before->first + before->second == at) {
        before->second += size;
        return;
      }
    free_.emplace(at, size);
  }
  size_t cached() const { return cached_; }
  void return_pages() {
    for (const auto& [at, length] : free_)
      if (at < touched_) madvise(begin_ + at, std::min(length, touched_ - at), MADV_DONTNEED);
    cached_ = 0;
    if (!free_.empty())  // the last free place begins after all blocks in use, if it reaches the end
      if (const auto& [at, length] = *free_.rbegin(); at + length == size_) touched_ = at;
  }

 private:
  void reserve() {
    for (size_ = size_ / huge_page * huge_page; size_ >= large; size_ = size_ / 2 / huge_page * huge_page) {
      void* p = mmap(nullptr, size_ + huge_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) continue;
      const uintptr_t aligned = (reinterpret_cast<uintptr_t>(p) + huge_page - 1) / huge_page * huge_page;
      begin_ = reinterpret_cast<char*>(aligned);
      ask_for_huge_pages(begin_, size_);
      free_.emplace(0, size_);
      return;
    }
  }

  char* begin_ = nullptr;
  size_t size_, usable_ = 0, cached_ = 0;
  size_t touched_ = 0;             // the end of all earlier places; no free place begins after it
  std::map<size_t, size_t> free_;  // address and bytes of each free place
};

struct FreeList {
  std::mutex mutex;
  std::array<std::vector<void*>, 64 * 4> buckets;
  const size_t most = memory_available();
  Range range{most};
  MemoryStats stats;
};
// Never destroyed: tensors with static lifetime may be released after main.
FreeList& free_list() {
  static FreeList* list = [] {
    // After a fork the other threads are gone, and could not release the lock.
    const auto unlock = [] { free_list().mutex.unlock(); };
    pthread_atfork([] { free_list().mutex.lock(); }, unlock, unlock);
    return new FreeList;
  }();
  return *list;
}
std::atomic<bool> poison = false;

}  // namespace

void poison_memory(bool on) { poison = on; }
void poison_if_on(void* block, size_t bytes) noexcept {
  if (poison) std::memset(block, 0xff, bytes);  // all ones is a NaN in float and in double
}

void* allocate(size_t bytes) {
  const auto [index, size] = bucket_of(bytes);
  FreeList& list = free_list();
  void* block = nullptr;
  {
    std::lock_guard lock(list.mutex);
    // The system overcommits memory, and kills the process that uses it.
    if (static_cast<size_t>(list.stats.live_bytes) + size > list.most) throw std::bad_alloc();
    auto& bucket = list.buckets[index];
    bool fresh = bucket.empty();
    if (bytes >= large) block = list.range.take(in_range(bytes), fresh);
    if (!block && !fresh) {
      block = bucket.back();
      bucket.pop_back();
      list.stats.cached_bytes -= static_cast<int64_t>(size);
    }
    list.stats.system_allocations += fresh;
    list.stats.live_bytes += static_cast<int64_t>(size);
    list.stats.peak_bytes = std::max(list.stats.peak_bytes, list.stats.live_bytes);
  }
  if (!block) block = std::aligned_alloc(alignment, size);
  if (!block) {
    std::lock_guard lock(list.mutex);
    list.stats.live_bytes -= static_cast<int64_t>(size);
    throw std::bad_alloc();
  }
  poison_if_on(block, bytes);
  return block;
}

void release(void* block, size_t bytes) noexcept {
  if (!block) return;
  poison_if_on(block, bytes);
  const auto [index, size] = bucket_of(bytes);
  FreeList& list = free_list();
  std::lock_guard lock(list.mutex);
  list.stats.live_bytes -= static_cast<int64_t>(size);
  if (list.range.has(block)) return list.range.give(block, in_range(bytes));
  list.stats.cached_bytes += static_cast<int64_t>(size);
  list.buckets[index].push_back(block);
}

Storage::Storage(int64_t n) : data(static_cast<real*>(allocate(static_cast<size_t>(n) * sizeof(real)))), size(n) {}
Storage::~Storage() { release(data, static_cast<size_t>(size) * sizeof(real)); }

MemoryStats memory_stats() {
  FreeList& list = free_list();
  std::lock_guard lock(list.mutex);
  MemoryStats stats = list.stats;
  stats.cached_bytes += static_cast<int64_t>(list.range.cached());
  return stats;
}

void release_cached_memory() {
  FreeList& list = free_list();
  std::lock_guard lock(list.mutex);
  for (auto& bucket : list.buckets) {
    for (void* block : bucket) std::free(block);
    bucket.clear();
  }
  list.range.return_pages();
  list.stats.cached_bytes = 0;
}

}  // namespace evenkeel
