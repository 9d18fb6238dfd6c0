// Recognises other programs' file formats by their first bytes, for error messages.
#pragma once
#include <cstddef>
#include <string_view>

namespace evenkeel {

struct ForeignFormat {
  std::string_view what;    // "an HTML page"
  std::string_view remedy;  // how to get weights that can be read
};
constexpr size_t foreign_bytes = 512;  // foreign_format() needs this many bytes of a file
// Null if no format is recognised. Only for files that could not be read: a valid file may begin like another format.
const ForeignFormat* foreign_format(std::string_view file);

}  // namespace evenkeel
