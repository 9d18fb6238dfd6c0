#include "apps/train/config.h"

#include <algorithm>
#include <tuple>

#include "core/io/json_check.h"

namespace evenkeel {
namespace {

// Converts the four options of the optimiser in evenkeel 0.1.0's config.json.
void read_old_optimizer(nlohmann::json& options) {
  std::string text = "sgd";
  bool old = false;
  for (const auto& [was, is, otherwise] : {std::tuple("momentum", "momentum", "0.9"),
                                           {"weight-decay", "weight_decay", "0.0005"},
                                           {"nesterov", "nesterov", "false"},
                                           {"decay-all", "decay_all", "false"}}) {
    const auto found = options.find(was);
    const std::string value = found == options.end() ? otherwise : found->dump();
    old = old || found != options.end();
    if (value != "false") text += fmt::format(":{}={}", is, value == "true" ? "on" : value);
    options.erase(was);
  }
  if (old) options.emplace("optimizer", text);
}

}  // namespace

std::unique_ptr<RunOptions> read_config(const std::string& name, const std::string& json,
                                        const std::vector<std::string>& given) {
  check_json(json, name);
  nlohmann::json config = nlohmann::json::parse(json);  // ordered_json takes quadratic time
  if (!config.is_object() || !config.contains("options") || !config["options"].is_object()) {
    fail(Fault::bad_file, "{}: must be a JSON object with \"options\" in it, as evenkeel train writes it", name);
  }
  read_old_optimizer(config["options"]);
  auto options = std::make_unique<RunOptions>();
  for (const auto& [option, value] : config["options"].items()) {
    if (option == "help" || !options->app.get_option_no_throw("--" + option))
      fail(Fault::bad_file, "{}: evenkeel train has no option \"{}\"; remove it", name, option);
    if (!value.is_primitive() || value.is_null())
      fail(Fault::bad_file, "{}: the option \"{}\" must be a text, a number, true or false", name, option);
  }
  std::vector<std::string> arguments = as_arguments(config["options"]);
  arguments.insert(arguments.end(), given.begin(), given.end());
  std::reverse(arguments.begin(), arguments.end());  // CLI11's order
  try {
    options->app.parse(std::move(arguments));
  } catch (const CLI::Error& error) {
    fail(Fault::bad_file, "{}: {}", name, error.what());
  }
  return options;
}

using Json = nlohmann::ordered_json;

Json known_facts(const nlohmann::json& config, const Json& given) {
  const auto changed = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const char* name) { return given.contains(name); });
  };
  Json facts = Json::object();
  const bool images = changed({"data", "samples", "validation", "seed", "image-size", "color", "holdout",
                               "channels-first", "skip-bad"}),
             network = changed({"data", "image-size", "color", "model", "norm", "activation"});
  for (const char* name : {"images", "normalization", "network"}) {
    if (config.contains(name) && !(name == std::string("network") ? network : images)) facts[name] = config[name];
  }
  if (facts.contains("images") && facts["images"].is_object()) facts["images"].erase("folder");
  return facts;
}

}  // namespace evenkeel
