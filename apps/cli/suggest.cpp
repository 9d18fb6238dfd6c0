#include "apps/cli/suggest.h"

#include <algorithm>

#include "apps/cli/text.h"

namespace evenkeel {

size_t edit_distance(const std::string& a, const std::string& b) {
  // d[i][j]: from the first i letters of a to the first j of b.
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  size_t least = 1 + std::max<size_t>(1, std::min<size_t>(word.size(), 100) / 3);  // more changes: a different word
  for (const std::string& candidate : known) {
    // The beginning of a word counts as one missing letter.
    const bool prefix = word.size() >= 3 && candidate.starts_with(word);
    const size_t distance = prefix ? 1 : word.size() > 100 ? least : edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  return nearest ? "; did you mean " + *nearest + "?" : "";
}

std::string unknown_word(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return "";
  const std::string near = suggestion(word, known);
  return fmt::format("there is no {} called \"{}\"{} Known are {}", what, word, near.empty() ? "." : near,
                     joined(known));
}

}  // namespace evenkeel
