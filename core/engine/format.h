// fmt::print("{}", tensor): the shape, and the values in rows and columns.
#pragma once
#include <fmt/core.h>

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>

#include "tensor.h"

namespace evenkeel {

// "(2, 3)", then the values as nested lists, columns aligned. `number` formats each value, as fmt does: ".3f". In a
// tensor of more than 1,000 values, an axis longer than 8 shows its first and last 3.
std::string to_text(const Tensor& x, std::string_view number = ".5g");

}  // namespace evenkeel

namespace fmt {
template <std::derived_from<evenkeel::Tensor> T>  // also a layer's Owned
struct formatter<T> {
  constexpr auto parse(format_parse_context& context) {
    const auto end = std::find(context.begin(), context.end(), '}');
    if (end != context.begin()) number_ = {context.begin(), static_cast<size_t>(end - context.begin())};
    return end;
  }
  template <class Context>
  auto format(const evenkeel::Tensor& x, Context& context) const {
    const std::string text = evenkeel::to_text(x, number_);
    return std::copy(text.begin(), text.end(), context.out());
  }

 private:
  std::string_view number_ = ".5g";
};
}  // namespace fmt
