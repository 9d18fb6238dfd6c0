// The options for a network.
#pragma once
#include "apps/cli/options.h"
#include "layers/model/spec.h"

namespace evenkeel {

void add_network_options(CLI::App& app, ModelOptions& options);  // --model, --norm, --activation

// make_model(), with a suggestion for an unknown --model, --norm or --activation.
std::unique_ptr<Sequential> make_named_model(const ModelOptions& options, const Vocabulary& vocabulary);

std::string shape_text(const Shape& shape);  // "28x28x1"
Shape parse_shape(const std::string& text);  // its inverse; three axes, each at least 1

}  // namespace evenkeel
