#include "apps/train/recipes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/cli/suggest.h"
#include "core/base/check.h"

namespace evenkeel {

const Recipe& find_recipe(const std::string& name) {
  std::vector<std::string> names;
  for (const Recipe& r : recipes) {
    if (r.name == name) return r;
    names.push_back(r.name);
  }
  const std::string wrong = unknown_word("recipe", name, names);
  fail(Fault::usage, "{}", wrong);
}

std::string recipe_list() {
  std::string text;
  for (const Recipe& r : recipes) {
    const auto recipe = nlohmann::ordered_json::parse(r.json);
    text += fmt::format("{}{}: {}\n", text.empty() ? "" : "\n", r.name, recipe["about"].get<std::string>());
    for (const auto& [name, value] : recipe["options"].items())
      text += value == true
                  ? fmt::format("  --{}\n", name)
                  : fmt::format("  --{:<16}{}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

}  // namespace evenkeel
