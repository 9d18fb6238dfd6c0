// The known word nearest to a mistyped one.
#pragma once
#include <string>
#include <vector>

namespace evenkeel {

// Damerau's edit distance: the least number of insertions, deletions, substitutions and swaps of neighbours.
size_t edit_distance(const std::string& a, const std::string& b);

// "; did you mean X?" with the nearest of `known`, or "" if none is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known);

// "there is no WHAT called "WORD"; did you mean X? Known are A, B, C", or "" if the word is known.
std::string unknown_word(const std::string& what, const std::string& word, const std::vector<std::string>& known);

}  // namespace evenkeel
