#include "apps/cli/model_options.h"

#include <charconv>

#include "apps/cli/suggest.h"
#include "apps/cli/text.h"

namespace evenkeel {
namespace {

std::vector<std::string> layer_names(const Vocabulary& vocabulary) {
  std::vector<std::string> names;
  for (const auto& [name, kind] : vocabulary) names.push_back(name);
  return names;
}

// Error for one unknown word, with a suggestion, which the spec's parser does not give.
void check_name(const std::string& what, const std::string& text, const std::vector<std::string>& known) {
  if (text.find_first_of(" (*") != std::string::npos) return;  // a spec
  const std::string wrong = unknown_word(what, text.substr(0, text.find(':')), known);
  check(wrong.empty(), "{}", wrong);
}

}  // namespace

void add_network_options(CLI::App& app, ModelOptions& o) {
  add_text(
      app, "--model", o.model, "MODEL",
      fmt::format(
          "{}, mlp:WIDTH-WIDTH..., or layers in order, as in \"conv:32:5 norm act maxpool:2 flatten dense:classes\"; "
          "evenkeel model --list shows every layer and its arguments",
          joined(model_names())))
      ->group("Network");
  add_text(app, "--norm", o.norm, "LAYER",
           "the layer at every normalisation point: none, batch, renorm, layer, group:GROUPS, instance, or a layer "
           "with arguments, as in batch:ghost=32 or batch:new=0.01 (weight of the new value in the running averages)")
      ->group("Network");
  add_text(app, "--activation", o.activation, "LAYER",
           "the layer at every activation: relu, sigmoid, tanh, gelu, silu, softplus, leaky_relu, none")
      ->group("Network");
}

std::unique_ptr<Sequential> make_named_model(const ModelOptions& options, const Vocabulary& vocabulary) {
  std::vector<std::string> layers = layer_names(vocabulary), models = layers;
  for (const std::string& name : model_names()) models.push_back(name);
  layers.push_back("none");
  check_name("model or layer", options.model, models);
  check_name("normalisation or layer", options.norm, layers);
  check_name("activation or layer", options.activation, layers);
  return make_model(options, vocabulary);
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank(); ++i) text += (i ? "x" : "") + std::to_string(shape[i]);
  return text;
}

Shape parse_shape(const std::string& text) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  for (bool more = true; more;) {
    int64_t extent = 0;
    const auto [rest, error] = std::from_chars(at, end, extent);
    more = rest != end && *rest == 'x';
    check(error == std::errc() && extent >= 1 && extent <= 65536 && (rest == end || more) && shape.rank() < 3,
          "input: must be HEIGHTxWIDTHxCHANNELS, as in 32x32x3, got \"{}\"", text);
    shape.push_back(extent);
    at = rest + 1;
  }
  check(shape.rank() == 3, "input: must be HEIGHTxWIDTHxCHANNELS, as in 32x32x3, got \"{}\"", text);
  return shape;
}

}  // namespace evenkeel
