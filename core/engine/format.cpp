#include "core/engine/format.h"

#include <vector>

namespace evenkeel {
namespace {

constexpr int64_t most_values = 1000, edge = 3, longest_axis = 8;

class Writer {
 public:
  Writer(const Tensor& x, std::string_view number) : x_(x), pattern_(fmt::format("{{:{}}}", number)) {
    visit(0, 0, [&](int64_t i) { width_ = std::max(width_, value(i).size()); });
  }

  std::string text() {
    text_ = x_.shape().str() + " ";
    write(0, 0, text_.size());
    return text_;
  }

 private:
  std::string value(int64_t i) const { return fmt::format(fmt::runtime(pattern_), x_.data()[i]); }

  // The indices to show along an axis; -1 stands for those left out.
  std::vector<int64_t> shown(int axis) const {
    const int64_t n = x_.dim(axis);
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < n; ++i) {
      const bool left_out = x_.size() > most_values && n > longest_axis && i >= edge && i < n - edge;
      if (!left_out)
        indices.push_back(i);
      else if (i == edge)
        indices.push_back(-1);
    }
    return indices;
  }

  template <class F>
  void visit(int axis, int64_t at, const F& f) const {
    if (axis == x_.shape().rank()) return f(at);
    for (const int64_t i : shown(axis))
      if (i >= 0) visit(axis + 1, at * x_.dim(axis) + i, f);
  }

  void write(int axis, int64_t at, size_t column) {
    const int rank = x_.shape().rank();
    if (axis == rank) {
      text_ += fmt::format("{:>{}}", value(at), width_);
      return;
    }
    text_ += '[';
    const std::vector<int64_t> indices = shown(axis);
    for (size_t k = 0; k < indices.size(); ++k) {
      if (k > 0) text_ += axis + 1 == rank ? ", " : ",\n" + std::string(column + 1, ' ');
      if (indices[k] < 0)
        text_ += "...";
      else
        write(axis + 1, at * x_.dim(axis) + indices[k], column + 1);
    }
    text_ += ']';
  }

  const Tensor& x_;
  const std::string pattern_;
  size_t width_ = 0;
  std::string text_;
};

}  // namespace

std::string to_text(const Tensor& x, std::string_view number) {
  return x.defined() ? Writer(x, number).text() : "undefined tensor";
}

}  // namespace evenkeel
