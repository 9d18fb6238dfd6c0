// Small things with text, and what every text goes through that leaves the program in a file of marked-up text or JSON.
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

bool is_utf8(const std::string& text);
// UTF-8 that XML (and so SVG and HTML) and JSON may hold: every byte that is not UTF-8, and every character that XML 1.0 forbids, is
// replaced by U+FFFD.
std::string legal_text(const std::string& text);

}  // namespace evenkeel
