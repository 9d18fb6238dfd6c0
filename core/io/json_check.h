// Checks a JSON text from a file before it is parsed into objects.
#pragma once
#include <string>

namespace evenkeel {

// Error(Fault::bad_file), "NAME: what is wrong", if the text is not JSON in UTF-8, has a number out of double's range,
// repeats a name in one object, or nests more than 8 deep (recursion over a deeper text could overflow the stack). O(n
// log n) time for n bytes; memory only for the names.
void check_json(const std::string& text, const std::string& name);

}  // namespace evenkeel
