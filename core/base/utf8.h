// UTF-8, and names that may be none.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace evenkeel {

// The character that begins at `at`, and how many bytes it has; 1 byte and no character where it is not UTF-8 (RFC
// 3629: shortest forms alone, no surrogates, nothing above 10FFFF).
struct Character {
  bool valid;
  uint32_t code;
  size_t bytes;
};
Character character_at(std::string_view text, size_t at);

// A name of a file as one line of UTF-8: control characters, and bytes that are not UTF-8, stand as \xNN.
std::string on_one_line(std::string_view name);

}  // namespace evenkeel
