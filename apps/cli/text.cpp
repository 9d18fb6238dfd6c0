#include "apps/cli/text.h"

#include "core/io/utf8.h"

namespace evenkeel {
bool is_utf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (!c.valid) return false;
    at += c.bytes;
  }
  return true;
}

std::string printable(const std::string& text) {
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const bool control = (c.code < 0x20 && c.code != '\t' && c.code != '\n') || (c.code >= 0x7f && c.code < 0xa0);
    const bool turns = c.code == 0x200e || c.code == 0x200f || (c.code >= 0x202a && c.code <= 0x202e) ||
                       (c.code >= 0x2066 && c.code <= 0x2069);
    if (!c.valid || (control && c.code < 0x80))
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    else if (control || turns)
      shown += fmt::format("\\u{:04x}", c.code);
    else
      shown += text.substr(at, c.bytes);
    at += c.bytes;
  }
  return shown;
}

std::string legal_text(const std::string& text) {
  std::string legal;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const bool forbidden =
        (c.code < 0x20 && c.code != '\t' && c.code != '\n' && c.code != '\r') || c.code == 0xfffe || c.code == 0xffff;
    legal += c.valid && !forbidden ? text.substr(at, c.bytes) : "\xef\xbf\xbd";
    at += c.bytes;
  }
  return legal;
}

std::string markup_text(const std::string& text) {
  std::string safe;
  for (const char c : legal_text(text)) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else if (static_cast<unsigned char>(c) >= 32)
      safe += c;
  }
  return safe;
}

std::string shortened(const std::string& name, size_t most) {
  size_t at = 0, kept = 0;
  for (size_t characters = 0; at < name.size(); ++characters) {
    if (characters == most) return name.substr(0, kept) + "\u2026";
    at += character_at(name, at).bytes;
    if (characters + 1 < most) kept = at;
  }
  return name;
}

}  // namespace evenkeel
