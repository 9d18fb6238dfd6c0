// The extents of a tensor: up to four axes, the last one the channels, all axes before it the rows. Extents are not
// negative, and no product of them exceeds max_size, so sizes in bytes, with an allocator's overhead, fit int64_t. Code
// that multiplies extents needs no further check.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "check.h"

namespace evenkeel {

class Shape {
 public:
  static constexpr int max_rank = 4;
  static constexpr int64_t max_size = int64_t{1} << 58;

  Shape() = default;  // rank 0: a scalar
  Shape(std::initializer_list<int64_t> dims) {
    check(dims.size() <= max_rank, "shape: at most {} axes, got {}", max_rank, dims.size());
    for (int64_t d : dims) push_back(d);
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const {
    if (axis < 0 || axis >= rank_) [[unlikely]]
      no_axis(axis);
    return dims_[static_cast<size_t>(axis)];
  }
  int64_t size() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<size_t>(i)];
    return n;
  }
  int64_t channels() const { return rank_ ? dims_[static_cast<size_t>(rank_ - 1)] : 1; }
  int64_t rows() const { return without_last().size(); }

  void push_back(int64_t d) {
    check(rank_ < max_rank, "shape: at most {} axes, got {}", max_rank, rank_ + 1);
    check(d >= 0, "shape: an axis cannot be negative, got {}", d);
    int64_t product = std::max<int64_t>(d, 1);  // of the extents that are not 0
    for (int i = 0; i < rank_; ++i)
      if (__builtin_mul_overflow(product, std::max<int64_t>(dims_[static_cast<size_t>(i)], 1), &product))
        product = max_size + 1;
    if (product > max_size) [[unlikely]]
      too_large(d);
    dims_[static_cast<size_t>(rank_++)] = d;
  }
  Shape without_last() const {
    Shape s;
    for (int i = 0; i + 1 < rank_; ++i) s.push_back(dims_[static_cast<size_t>(i)]);
    return s;
  }
  Shape with_channels(int64_t channels) const {  // the same rows
    check(rank_ > 0, "shape: () has no axis of channels");
    Shape s = without_last();
    s.push_back(channels);
    return s;
  }
  bool operator==(const Shape&) const = default;

  std::string str() const {
    std::string s = "(";
    for (int i = 0; i < rank_; ++i) s.append(i ? ", " : "").append(std::to_string(dims_[static_cast<size_t>(i)]));
    return s + ")";
  }

 private:
  [[noreturn, gnu::cold]] void no_axis(int axis) const;
  [[noreturn, gnu::cold]] void too_large(int64_t d) const;

  std::array<int64_t, max_rank> dims_{};
  int rank_ = 0;
};

}  // namespace evenkeel

template <>
struct fmt::formatter<evenkeel::Shape> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const evenkeel::Shape& s, Context& context) const {
    const std::string text = s.str();
    return std::copy(text.begin(), text.end(), context.out());
  }
};
