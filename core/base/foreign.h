// Formats of other programs by their first bytes, for messages about a file that is not what it should be.
#pragma once
#include <cstddef>
#include <string_view>

namespace evenkeel {

struct ForeignFormat {
  std::string_view what;    // "an HTML page"
  std::string_view remedy;  // how to get weights that can be read
};
constexpr size_t foreign_bytes = 512;  // foreign_format() needs the first so many bytes of a file
// Null if no format is recognised. For files that could not be read: a good file may begin like one of another format.
const ForeignFormat* foreign_format(std::string_view file);

}  // namespace evenkeel
