// Checks a JSON text from a file before it is parsed into objects.
#pragma once
#include <string>

namespace evenkeel {

// Error(Fault::bad_file), "NAME: what is wrong", where the text is not JSON in UTF-8, holds a number that no double can
// hold, has a name twice in one object, or nests objects and arrays more than 8 deep (deeper ones would end whatever
// walks through them by recursion). O(n log n) time for n bytes, and memory for the names alone.
void check_json(const std::string& text, const std::string& name);

}  // namespace evenkeel
