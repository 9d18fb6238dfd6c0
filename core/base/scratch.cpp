#include "core/base/scratch.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "core/base/memory.h"

namespace evenkeel {
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
    const size_t wanted = (std::max<size_t>(bytes, 1) + 63) / 64 * 64;
    void* larger = std::aligned_alloc(64, wanted);
    if (!larger) throw std::bad_alloc();
    std::free(block);
    block = larger;
    size = wanted;
  }
  ++scratch.used;
  poison_if_on(block, size);
  return block;
}

void pop_scratch() noexcept {
  const auto& [block, size] = scratch.blocks[--scratch.used];
  poison_if_on(block, size);
}

}  // namespace evenkeel
