// Recipes: complete settings by name, each a file in apps/train/recipes in the format of config.json.
#pragma once
#include <string>
#include <vector>

namespace evenkeel {

struct Recipe {
  std::string name, json;  // {"about": what it reaches, "options": as config.json has them}
};
extern const std::vector<Recipe> recipes;  // by name; written by CMake from the files

const Recipe& find_recipe(const std::string& name);  // Error(Fault::usage) with the nearest name
std::string recipe_list();                           // a paragraph for each: name, result, options

}  // namespace evenkeel
