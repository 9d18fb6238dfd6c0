// Optimisers by name, with their options: "sgd:momentum=0.9:nesterov=on", "adamw:beta2=0.99".
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string_view>

#include "../core/base/options.h"
#include "optimizer.h"

namespace evenkeel {

struct OptimizerKind {
  std::function<std::unique_ptr<Optimizer>(std::vector<Parameter>, SpecArguments&)> make;
  std::string usage;  // "sgd[:momentum=0]..."
  double lr;          // the default learning rate
};
using Optimizers = std::map<std::string, OptimizerKind>;

// To add one: `Optimizers o = standard_optimizers(); o["sign"] = {...};`
Optimizers standard_optimizers();

// Makes the optimiser that the text names; each takes Lookahead's arguments too (lookahead.h). Error(Fault::usage) if
// the text is wrong.
std::unique_ptr<Optimizer> make_optimizer(const std::string& text, std::vector<Parameter> parameters,
                                          const Optimizers& known = standard_optimizers());
// The kind that the text names, with its default learning rate. Error(Fault::usage) if there is none.
const OptimizerKind& find_optimizer(std::string_view text, const Optimizers& known);

}  // namespace evenkeel
