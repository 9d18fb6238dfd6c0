// Small things with text.
#pragma once
#include <fmt/core.h>

#include <string>

namespace evenkeel {

// The elements, written out, with a separator between them.
template <class Range>
std::string joined(const Range& elements, const std::string& separator = ", ") {
  std::string text;
  for (bool first = true; const auto& e : elements) {
    if (!first) text += separator;
    text += fmt::format("{}", e);
    first = false;
  }
  return text;
}

}  // namespace evenkeel
