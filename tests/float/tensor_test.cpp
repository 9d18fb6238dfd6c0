// Tensors, shapes, memory and checksums: what each refuses, and what it gives back.
#include "core/tensor.h"

#include <unistd.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/checksum.h"
#include "core/memory.h"
#include "core/ops.h"

using namespace evenkeel;

TEST_CASE("a shape counts its values, rows and channels, and refuses what is none") {
  const Shape s{2, 3, 4, 5};
  CHECK(s.size() == 120);
  CHECK(s.rows() == 24);
  CHECK(s.channels() == 5);
  CHECK(s.str() == "(2, 3, 4, 5)");
  CHECK(s.without_last() == Shape{2, 3, 4});
  CHECK(Shape{}.size() == 1);
  CHECK(Shape{}.channels() == 1);
  CHECK(Shape{0, 3}.size() == 0);
  CHECK_THROWS_WITH_AS((Shape{1, 2, 3, 4, 5}), "shape: at most 4 axes, got 5", Error);
  CHECK_THROWS_WITH_AS(Shape{-1}, "shape: an axis cannot be negative, got -1", Error);
  Shape full = s;
  CHECK_THROWS_AS(full.push_back(1), Error);
}

TEST_CASE("tensors refuse what does not fit") {
  const Tensor x = Tensor::of({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH_AS(Tensor::of({2, 3}, {1, 2}), doctest::Contains("holds 6 values, got 2"), Error);
  CHECK_THROWS_WITH_AS(x.item(), doctest::Contains("must have one element"), Error);
  CHECK_THROWS_WITH_AS(reshape(x, {4}), doctest::Contains("has 6 elements"), Error);
  CHECK_THROWS_WITH_AS(Tensor(x).copy_from(Tensor::zeros({3, 2})), doctest::Contains("shapes differ"), Error);
  Tensor y = Tensor::scalar(2).track() * real(3);
  CHECK_THROWS_WITH_AS(y.track(), doctest::Contains("only a leaf can be tracked"), Error);
  const Tensor copy = x.clone();
  copy.detach().data()[0] = 9;
  CHECK(x.data()[0] == 1);
  CHECK(reshape(x, {3, 2}).data() == x.data());  // shared
}

TEST_CASE("memory: more than the machine has is refused, before the system ends the process for it") {
  release_cached_memory();
  const int64_t live = memory_stats().live_bytes;
  const size_t half = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 2;
  std::vector<void*> blocks;
  const auto fill = [&] {
    for (int i = 0; i < 64; ++i) blocks.push_back(allocate(half));  // addresses alone: no page is touched; there may be swap
  };
  CHECK_THROWS_AS(fill(), std::bad_alloc);
  for (void* block : blocks) release(block, half);
  CHECK(memory_stats().live_bytes == live);
  release_cached_memory();
}

TEST_CASE("memory: aligned blocks, counted, reused, given back, poisoned on request") {
  release_cached_memory();
  const MemoryStats start = memory_stats();
  CHECK(start.cached_bytes == 0);
  void* block = allocate(1000);
  CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
  const MemoryStats held = memory_stats();
  CHECK(held.live_bytes >= start.live_bytes + 1000);
  CHECK(held.system_allocations == start.system_allocations + 1);
  CHECK(held.peak_bytes >= held.live_bytes);
  release(block, 1000);
  CHECK(memory_stats().live_bytes == start.live_bytes);
  CHECK(memory_stats().cached_bytes >= 1000);
  void* again = allocate(1000);
  CHECK(memory_stats().system_allocations == held.system_allocations);
  release(again, 1000);
  release_cached_memory();
  CHECK(memory_stats().cached_bytes == 0);

  // Large blocks that were neighbours make room for one that none of them could hold.
  const size_t third = size_t{5} << 20;
  void* parts[3];
  for (void*& part : parts) part = allocate(third);
  const MemoryStats full = memory_stats();
  for (int i : {0, 1}) release(parts[i], third);
  void* pair = allocate(2 * third);
  CHECK(pair == parts[0]);
  release(pair, 2 * third);
  release(parts[2], third);
  CHECK(memory_stats().cached_bytes >= full.cached_bytes + 3 * static_cast<int64_t>(third));
  CHECK(memory_stats().live_bytes == start.live_bytes);
  void* whole = allocate(3 * third);
  CHECK(whole == parts[0]);
  CHECK(memory_stats().system_allocations == full.system_allocations);
  void* other = allocate(third);
  CHECK(other == static_cast<char*>(whole) + 3 * third);
  std::memset(whole, 1, 3 * third);
  release(whole, 3 * third);
  release_cached_memory();  // with a block behind that is in use
  CHECK(memory_stats().cached_bytes == 0);
  void* behind = allocate(4 * third);
  CHECK(behind == static_cast<char*>(other) + third);
  whole = allocate(3 * third);
  CHECK(whole == parts[0]);
  CHECK(static_cast<char*>(whole)[3 * third - 1] == 0);  // a fresh page
  CHECK(memory_stats().cached_bytes == 0);
  for (const auto& [block, size] : {std::pair{other, third}, {whole, 3 * third}, {behind, 4 * third}}) release(block, size);
  CHECK(memory_stats().cached_bytes >= 8 * static_cast<int64_t>(third));
  release_cached_memory();
  CHECK(memory_stats().cached_bytes == 0);

  poison_memory(true);
  const Tensor t = Tensor::empty({100});
  poison_memory(false);
  for (real v : t.values()) CHECK(std::isnan(v));
  void* nothing = allocate(0);
  release(nothing, 0);
}

TEST_CASE("CRC-32: the check value of its definition, in one piece or several") {
  const std::string digits = "123456789";
  CHECK(crc32(digits) == 0xcbf43926u);
  CHECK(crc32("") == 0);
  for (size_t n = 0; n <= digits.size(); ++n) CHECK(crc32(digits.substr(n), crc32(digits.substr(0, n))) == 0xcbf43926u);
}
