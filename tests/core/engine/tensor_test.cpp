// Tensors, shapes, memory and checksums: what each refuses, and what it gives back.
#include "core/engine/tensor.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "core/base/memory.h"
#include "core/ops/ops.h"

using namespace evenkeel;

namespace {

// Destroyed after main(), and after the main thread's thread-local variables: the address sanitiser would say what is
// missed then.
const Tensor outlives_main = [] {
  Tensor y = Tensor::scalar(1).track();
  for (int i = 0; i < 100; ++i) y = y + real(1);
  return y;
}();

}  // namespace

TEST_CASE("a tensor may be static") { CHECK(outlives_main.item() == 101); }

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

TEST_CASE("a shape is refused where its values could not be counted, whatever its other extents are") {
  constexpr int64_t large = int64_t{1} << 62;
  CHECK(Shape{int64_t{1} << 58}.size() == int64_t{1} << 58);
  CHECK_THROWS_WITH_AS(Tensor::empty({large - 1}), "shape: at most 2^58 values, got 4611686018427387903", Error);
  CHECK_THROWS_WITH_AS((Shape{3, large}), "shape: at most 2^58 values, got 3 x 4611686018427387904", Error);
  CHECK_THROWS_AS((Shape{large, 4}), Error);  // 2^64: 0 in 64 bits
  CHECK_THROWS_AS((Shape{int64_t{1} << 32, int64_t{1} << 32}), Error);
  CHECK_THROWS_AS((Shape{large, 0}), Error);  // no value, but more rows than a loop could count
  CHECK_THROWS_AS((Shape{0, large}), Error);
  CHECK_THROWS_WITH_AS((Shape{1, 0, -2}), "shape: an axis cannot be negative, got -2", Error);
  Shape s{2, 3};
  CHECK_THROWS_AS(s.push_back(large), Error);
  CHECK(s == Shape{2, 3});  // as it was
  CHECK(s.with_channels(7) == Shape{2, 7});
  CHECK_THROWS_AS(s.with_channels(-1), Error);
  CHECK_THROWS_AS(s.with_channels(large), Error);
  CHECK_THROWS_WITH_AS(Shape().with_channels(1), "shape: () has no axis of channels", Error);
}

TEST_CASE("an axis that a shape does not have is an error") {
  const Tensor x = Tensor::zeros({2, 3});
  CHECK(x.dim(1) == 3);
  CHECK_THROWS_WITH_AS(x.dim(2), "shape: (2, 3) has no axis 2", Error);
  CHECK_THROWS_WITH_AS(x.dim(-1), "shape: (2, 3) has no axis -1", Error);
  CHECK_THROWS_WITH_AS(Shape()[0], "shape: () has no axis 0", Error);
}

TEST_CASE("an undefined tensor is refused wherever it is used") {
  Tensor none, moved = Tensor::scalar(1);
  const Tensor to = std::move(moved);
  const Tensor x = Tensor::zeros({2});
  const auto undefined = doctest::Contains("tensor: it is undefined");
  CHECK_THROWS_WITH_AS(none.shape(), undefined, Error);
  CHECK_THROWS_WITH_AS(moved.dim(0), undefined, Error);
  CHECK_THROWS_WITH_AS(none.size(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.rows(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.channels(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.data(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.mutable_data(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.item(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.values(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.track(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.tracked(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.severed(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.detach(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.clone(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.viewed({1}), undefined, Error);
  CHECK_THROWS_WITH_AS(none.copy_from(x), undefined, Error);
  CHECK_THROWS_WITH_AS(x.clone().copy_from(none), undefined, Error);
  CHECK_THROWS_WITH_AS(none.sole_owner(), undefined, Error);
  CHECK_THROWS_WITH_AS(none.id(), undefined, Error);
  CHECK_THROWS_WITH_AS(none + x, undefined, Error);
  CHECK_THROWS_WITH_AS(relu(none), undefined, Error);
  CHECK_THROWS_WITH_AS(reshape(none, {1}), undefined, Error);
  CHECK_THROWS_WITH_AS(grad(none, {none}), undefined, Error);
}

TEST_CASE("only a value that no other handle and no view can see has a sole owner") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK(x.sole_owner());
  {
    const Tensor handle = x;
    CHECK_FALSE(x.sole_owner());
  }
  CHECK(x.sole_owner());
  {
    const Tensor view = reshape(x, {6});  // a node of its own, on the same storage
    CHECK_FALSE(x.sole_owner());
    CHECK_FALSE(view.sole_owner());
  }
  const Tensor constant = x.detach();
  CHECK_FALSE(x.sole_owner());
  x = Tensor();
  CHECK(constant.sole_owner());
  const Tensor without = constant.without_values();
  CHECK(constant.sole_owner());
  CHECK_FALSE(without.sole_owner());
}

TEST_CASE("tensors refuse what does not fit") {
  const Tensor x = Tensor::of({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH_AS(Tensor::of({2, 3}, {1, 2}), doctest::Contains("holds 6 values, got 2"), Error);
  CHECK_THROWS_WITH_AS(x.item(), doctest::Contains("must have one element"), Error);
  CHECK_THROWS_WITH_AS(reshape(x, {4}), doctest::Contains("has 6 elements"), Error);
  CHECK_THROWS_WITH_AS(Tensor(x).copy_from(Tensor::zeros({3, 2})),
                       doctest::Contains("copy_from: shapes must agree, got (2, 3) from (3, 2)"), Error);
  Tensor y = Tensor::scalar(2).track() * real(3);
  CHECK_THROWS_WITH_AS(y.track(), doctest::Contains("only a leaf can be tracked"), Error);
  Tensor severed = [&] {
    const Recording off(false);
    return y * real(3);
  }();
  CHECK_THROWS_WITH_AS(severed.track(), doctest::Contains("only a leaf can be tracked"), Error);
  const Tensor copy = x.clone();
  copy.detach().mutable_data()[0] = 9;
  CHECK(x.data()[0] == 1);
  CHECK(reshape(x, {3, 2}).data() == x.data());  // shared
}

TEST_CASE("memory: more than the machine has is refused, before the system ends the process for it") {
  release_cached_memory();
  const int64_t live = memory_stats().live_bytes;
  const size_t half = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 2;
  std::vector<void*> blocks;
  const auto fill = [&] {
    for (int i = 0; i < 64; ++i)
      blocks.push_back(allocate(half));  // addresses alone: no page is touched; there may be swap
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
  std::memset(other, 1, third);
  void* behind = allocate(4 * third);
  CHECK(behind == static_cast<char*>(other) + third);
  whole = allocate(3 * third);
  CHECK(whole == parts[0]);
  CHECK(static_cast<char*>(whole)[3 * third - 1] == 0);  // a fresh page
  CHECK(memory_stats().cached_bytes == 0);
  for (const auto& [block, size] : {std::pair{other, third}, {whole, 3 * third}, {behind, 4 * third}})
    release(block, size);
  CHECK(memory_stats().cached_bytes >= 8 * static_cast<int64_t>(third));
  release_cached_memory();  // after a release that could not free all of them
  CHECK(memory_stats().cached_bytes == 0);
  const int64_t given_back = memory_stats().system_allocations;
  other = allocate(8 * third);
  CHECK(other == parts[0]);
  CHECK(memory_stats().system_allocations == given_back + 1);
  CHECK(static_cast<char*>(other)[3 * third] == 0);  // a fresh page
  release(other, 8 * third);

  // The new block ends beyond all earlier blocks. Only its part before their end was cached.
  release_cached_memory();
  for (void*& part : parts) part = allocate(third);
  const int64_t kept = memory_stats().cached_bytes;
  release(parts[0], third);
  release(parts[2], third);
  pair = allocate(2 * third);
  CHECK(pair == parts[2]);
  CHECK(memory_stats().cached_bytes == kept + static_cast<int64_t>(third));
  release(pair, 2 * third);
  release(parts[1], third);

  poison_memory(true);
  const Tensor t = Tensor::empty({100});
  char* const held_block = static_cast<char*>(allocate(1000));
  std::memset(held_block, 1, 1000);
  release(held_block, 1000);
  poison_memory(false);
  for (real v : t.values()) CHECK(std::isnan(v));
  const char* const same = static_cast<char*>(allocate(1000));
  REQUIRE(same == held_block);  // the last one released
  CHECK(same[0] == char(0xff));
  CHECK(same[999] == char(0xff));
  release(held_block, 1000);
  void* nothing = allocate(0);
  release(nothing, 0);
}
