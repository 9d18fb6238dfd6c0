#include "core/base/scratch.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "core/base/huge_pages.h"
#include "core/base/memory.h"

namespace evenkeel {
namespace {

// Blocks of at least this many bytes lie in huge pages. A transform of Winograd's convolution reads or writes 36
// matrices in turn. On small pages every matrix needs its own entry in the TLB, whose first level has about 64 entries.
constexpr size_t large = size_t{128} << 10;

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
    const size_t unit = bytes >= large ? huge_page : 64, wanted = (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
    void* larger = std::aligned_alloc(unit, wanted);
    if (!larger) throw std::bad_alloc();
    if (unit == huge_page) ask_for_huge_pages(larger, wanted);
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
