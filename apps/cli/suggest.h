// The known word nearest to a mistyped one.
#pragma once
#include <string>
#include <vector>

namespace evenkeel {

// The fewest letters to insert, drop, change, or swap with their neighbour (Damerau's edit distance, adjacent swaps
// counted once).
size_t edit_distance(const std::string& a, const std::string& b);

// "; did you mean X?" with the nearest of `known`, or "" where none is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known);

// "there is no WHAT called "WORD"; did you mean X? Known are A, B, C", unless the word is known; then "".
std::string unknown_word(const std::string& what, const std::string& word, const std::vector<std::string>& known);

}  // namespace evenkeel
