// Huge pages: large blocks then need few entries of the TLB.
#pragma once
#include <sys/mman.h>

#include <cstddef>

namespace evenkeel {

inline constexpr size_t huge_page = size_t{2} << 20;  // on x86-64, and on arm64 with small pages of 4 KiB

// Asks the system for huge pages in [begin, begin + bytes). It may decline.
inline void ask_for_huge_pages([[maybe_unused]] void* begin, [[maybe_unused]] size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  madvise(begin, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace evenkeel
