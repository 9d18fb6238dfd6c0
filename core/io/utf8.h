// Decodes UTF-8, and makes any file name printable.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace evenkeel {

// The character at offset `at` and its length in bytes. Not valid, with length 1, if these bytes are not UTF-8 (RFC
// 3629: shortest form, no surrogates, at most U+10FFFF).
struct Character {
  bool valid;
  uint32_t code;
  size_t bytes;
};
Character character_at(std::string_view text, size_t at);

// A file name as one line of UTF-8: control characters, and bytes that are not UTF-8, become \xNN.
std::string on_one_line(std::string_view name);

}  // namespace evenkeel
