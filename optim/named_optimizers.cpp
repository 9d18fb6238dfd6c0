#include "optim/named_optimizers.h"

#include "optim/adamw.h"
#include "optim/lookahead.h"
#include "optim/muon.h"
#include "optim/sgd.h"

namespace evenkeel {
namespace {

template <class Kind, class Options>
OptimizerKind kind_of(const std::string& name, double lr) {
  return {[](std::vector<Parameter> p, SpecArguments& a) {
            return std::make_unique<Kind>(std::move(p), a.options<Options>());
          },
          name + usage_options<Options>(), lr};
}

}  // namespace

Optimizers standard_optimizers() {
  return {{"adamw", kind_of<AdamW, AdamWOptions>("adamw", 0.001)},
          {"muon", kind_of<Muon, MuonOptions>("muon", 0.24)},
          {"sgd", kind_of<Sgd, SgdOptions>("sgd", 0.05)}};
}

const OptimizerKind& find_optimizer(std::string_view text, const Optimizers& known) {
  const std::string name(text.substr(0, text.find(':')));
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [n, kind] : known) names.append(names.empty() ? "" : ", ").append(n);
  fail(Fault::usage, "optimizer: none is called '{}'; there are {}", name, names);
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& text, std::vector<Parameter> parameters,
                                          const Optimizers& known) {
  const OptimizerKind& kind = find_optimizer(text, known);
  SpecArguments arguments("optimizer", text);
  std::unique_ptr<Optimizer> optimizer = kind.make ? kind.make(std::move(parameters), arguments) : nullptr;
  check(optimizer != nullptr, "optimizer: the function of '{}' made no optimiser; it must return one", arguments.name);
  const auto ahead = arguments.options<LookaheadOptions>();
  arguments.check_used(kind.usage + usage_options<LookaheadOptions>());
  if (ahead.lookahead > 0) optimizer = std::make_unique<Lookahead>(std::move(optimizer), ahead);
  return optimizer;
}

}  // namespace evenkeel
