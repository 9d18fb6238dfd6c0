#include "apps/cli/text.h"

#include <cstdint>

namespace evenkeel {
namespace {

// The character that begins at `at`, and how many bytes it has; 1 byte and no character where it is not UTF-8 (RFC 3629: shortest
// forms alone, no surrogates, nothing above 10FFFF).
struct Character {
  bool valid;
  uint32_t code;
  size_t bytes;
};

Character character_at(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const uint32_t first = byte(at);
  if (first < 0x80) return {true, first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  uint32_t code = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {false, 0, 1};
    code = code << 6 | (byte(at + i) & 0x3f);
  }
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = first >= 0xc0 && first < 0xf8 && code >= least[bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return {valid, code, valid ? bytes : 1};
}

}  // namespace

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
    const bool forbidden = (c.code < 0x20 && c.code != '\t' && c.code != '\n' && c.code != '\r') || c.code == 0xfffe || c.code == 0xffff;
    legal += c.valid && !forbidden ? text.substr(at, c.bytes) : "\xef\xbf\xbd";
    at += c.bytes;
  }
  return legal;
}

}  // namespace evenkeel
