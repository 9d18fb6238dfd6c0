// Numbers in text, read alike in every locale.
#pragma once
#include <charconv>
#include <string_view>
#include <type_traits>

namespace evenkeel {

// std::from_chars for float and double, by strtod: libc++ has it for integers only.
template <class Real>
std::from_chars_result read_by_strtod(const char* begin, const char* end, Real& value);

// std::from_chars: reads the number at `begin`, and returns where it ends and whether there is one.
template <class Number>
std::from_chars_result read_number(const char* begin, const char* end, Number& value) {
#ifndef __cpp_lib_to_chars
  if constexpr (std::is_floating_point_v<Number>)
    return read_by_strtod(begin, end, value);
  else
#endif
    return std::from_chars(begin, end, value);
}

// Parses `text` into `value`. True if the whole text is one number.
template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [rest, error] = read_number(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

}  // namespace evenkeel
