// Small things with text, and what every text goes through that leaves the program.
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
// UTF-8 that XML (and so SVG and HTML) and JSON may hold: every byte that is not UTF-8, and every character that
// XML 1.0 forbids, is replaced by U+FFFD.
std::string legal_text(const std::string& text);
// legal_text() for HTML and SVG: &, <, > and " become entities, control characters are removed.
std::string markup_text(const std::string& text);
// As it can be shown on a terminal, which it cannot steer: bytes that are not UTF-8, control characters but tabs and
// ends of lines, and the marks that turn the direction of writing are written out, as in \x1b and \u202e.
std::string printable(const std::string& text);

// A name that takes at most `most` characters: its beginning, and an ellipsis where it is longer.
std::string shortened(const std::string& name, size_t most);

}  // namespace evenkeel
