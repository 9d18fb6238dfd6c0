#include "core/io/utf8.h"

#include <fmt/core.h>

namespace evenkeel {

Character character_at(std::string_view text, size_t at) {
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
  const bool valid =
      first >= 0xc0 && first < 0xf8 && code >= least[bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return {valid, code, valid ? bytes : 1};
}

std::string on_one_line(std::string_view name) {
  std::string line;
  for (size_t at = 0; at < name.size();) {
    const Character c = character_at(name, at);
    if (c.valid && c.code >= 0x20 && c.code != 0x7f)
      line += name.substr(at, c.bytes);
    else
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[at]));
    at += c.bytes;
  }
  return line;
}

}  // namespace evenkeel
