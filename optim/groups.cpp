#include "optim/groups.h"

#include <sstream>

namespace evenkeel {
namespace {

// Whether the name matches the pattern, in which * matches any characters.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*') return !name.empty() && name[0] == pattern[0] && matches(pattern.substr(1), name.substr(1));
  for (size_t i = 0; i <= name.size(); ++i)
    if (matches(pattern.substr(1), name.substr(i))) return true;
  return false;
}

}  // namespace

std::vector<Parameter> grouped(std::vector<Parameter> parameters, const std::string& groups) {
  std::vector<bool> taken(parameters.size());
  std::istringstream words(groups);
  for (std::string word; words >> word;) {
    SpecArguments arguments("groups", word);
    const auto options = arguments.options<GroupOptions>();
    arguments.check_used("PATTERN" + usage_options<GroupOptions>());
    check(std::ranges::count(arguments.name, '*') <= 4, "groups: a pattern has at most four *, got \"{}\"", word);
    bool any = false;
    for (size_t i = 0; i < parameters.size(); ++i) {
      Parameter& p = parameters[i];
      if (taken[i] || !matches(arguments.name, p.name)) continue;
      taken[i] = any = true;
      p.lr_factor = options.lr;
      p.decay_factor = options.decay;
    }
    check(
        any || parameters.empty(),
        "groups: \"{}\" is the name of no parameter, or those it names have a group already; evenkeel model shows the "
        "layers, as in 3.weight and 4.bias",
        arguments.name);
  }
  return parameters;
}

}  // namespace evenkeel
