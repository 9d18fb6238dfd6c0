// The caching allocator: four buckets per power of two (at most a quarter of a block is wasted), last in first out.
#include "core/memory.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace evenkeel {
namespace {

constexpr size_t alignment = 64;
constexpr size_t huge_page = size_t{2} << 20;

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

struct FreeList {
  std::mutex mutex;
  std::array<std::vector<void*>, 64 * 4> buckets;
  MemoryStats stats;
};
// Never destroyed: tensors with static lifetime may be released after main.
FreeList& free_list() {
  static FreeList* list = new FreeList;
  return *list;
}
std::atomic<bool> poison = false;

}  // namespace

void* allocate(size_t bytes) {
  const auto [index, size] = bucket_of(bytes);
  FreeList& list = free_list();
  void* block = nullptr;
  {
    std::lock_guard lock(list.mutex);
    auto& bucket = list.buckets[index];
    if (!bucket.empty()) {
      block = bucket.back();
      bucket.pop_back();
      list.stats.cached_bytes -= static_cast<int64_t>(size);
    } else {
      ++list.stats.system_allocations;
    }
    list.stats.live_bytes += static_cast<int64_t>(size);
    list.stats.peak_bytes = std::max(list.stats.peak_bytes, list.stats.live_bytes);
  }
  if (!block) {
    const bool huge = size >= 2 * huge_page;
    block = std::aligned_alloc(huge ? huge_page : alignment, huge ? (size + huge_page - 1) / huge_page * huge_page : size);
    if (!block) {
      std::lock_guard lock(list.mutex);
      list.stats.live_bytes -= static_cast<int64_t>(size);
      throw std::bad_alloc();
    }
    if (huge) madvise(block, size, MADV_HUGEPAGE);
  }
  if (poison) std::memset(block, 0xff, size);  // all ones is a NaN in float and in double
  return block;
}

void release(void* block, size_t bytes) noexcept {
  if (!block) return;
  const auto [index, size] = bucket_of(bytes);
  FreeList& list = free_list();
  std::lock_guard lock(list.mutex);
  list.stats.live_bytes -= static_cast<int64_t>(size);
  list.stats.cached_bytes += static_cast<int64_t>(size);
  list.buckets[index].push_back(block);
}

MemoryStats memory_stats() {
  std::lock_guard lock(free_list().mutex);
  return free_list().stats;
}

void release_cached_memory() {
  FreeList& list = free_list();
  std::lock_guard lock(list.mutex);
  for (auto& bucket : list.buckets) {
    for (void* block : bucket) std::free(block);
    bucket.clear();
  }
  list.stats.cached_bytes = 0;
}

void poison_memory(bool on) { poison = on; }

namespace {

struct ScratchStack {
  ~ScratchStack() {
    for (const auto& [block, size] : blocks) std::free(block);
  }
  std::vector<std::pair<void*, size_t>> blocks;
  size_t used = 0;
};
thread_local ScratchStack scratch;

}  // namespace

void* push_scratch(size_t bytes) {
  if (scratch.used == scratch.blocks.size()) scratch.blocks.emplace_back(nullptr, 0);
  auto& [block, size] = scratch.blocks[scratch.used];
  if (!block || size < bytes) {
    const size_t wanted = bucket_of(bytes).size;
    void* larger = std::aligned_alloc(alignment, wanted);
    if (!larger) throw std::bad_alloc();
    std::free(block);
    block = larger;
    size = wanted;
  }
  ++scratch.used;
  if (poison) std::memset(block, 0xff, size);
  return block;
}

void pop_scratch() noexcept { --scratch.used; }

}  // namespace evenkeel
