// Text helpers, and the filters for all output.
#pragma once
#include <fmt/core.h>

#include <string>

namespace evenkeel {

// The formatted elements, with a separator between them.
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
// Text that is safe on a terminal: escapes bytes that are not UTF-8, control characters except tab and newline, and
// direction marks, as in \x1b and \u202e.
std::string printable(const std::string& text);

// A name cut to at most `most` characters, with an ellipsis if it is longer.
std::string shortened(const std::string& name, size_t most);

}  // namespace evenkeel
