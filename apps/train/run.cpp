#include "apps/train/run.h"

#include <filesystem>

#include "apps/cli/options.h"
#include "apps/train/config.h"
#include "apps/train/identity.h"
#include "apps/train/training_run.h"
#include "core/ops/matmul.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Sets whether OpenBLAS computes products. Returns their precision, if all processes can compute in it.
Precision prepare_products(const TrainOptions& options, Team* team) {
  Precision precision = Precision::float32;
  attempt(team, [&] {
    precision = blaming(options.file, [&] {
      check(!options.blas || options.precision == "float32",
            "--blas: OpenBLAS computes in float32, so it cannot be combined with --precision {}; leave one of them out",
            options.precision);
      set_blas(options.blas);
      return precision_of(options.precision);
    });
  });
  return precision;
}

// The run, if all processes can make it and have the same program, options and data.
std::unique_ptr<TrainingRun> make_run(const TrainOptions& options, const Json& config, const Registry& registry,
                                      Team* team) {
  std::unique_ptr<TrainingRun> run;
  attempt(team, [&] {
    const int64_t size = team ? team->size() : 1;
    check(options.shards % size == 0,
          "--shards: the {} processes of mpirun must share them evenly, got {}; give a multiple of {}", size,
          options.shards, size);
    run = blaming(options.file, [&] { return std::make_unique<TrainingRun>(options, registry, team); });
  });
  if (!team) return run;
  Json facts = run_identity(run->facts(), config["options"]);
  for (const char* name : {"evenkeel", "level"}) facts[name] = config[name];
  check_same_everywhere(*team, nlohmann::json::parse(facts.dump()));
  return run;
}

}  // namespace

int train(const TrainOptions& options, Json config, const Json& known, const Registry& registry, Team* team) {
  const UsePrecision precision(prepare_products(options, team));
  const bool numbered = options.numbered && !options.overwrite, first = !team || team->rank() == 0;
  using Use = RunFolder::Use;
  const Use use = options.overwrite ? Use::overwrite : Use::fresh;
  attempt(team, [&] {  // fail before the data is read
    if (!first) return;
    if (numbered)
      RunFolder::check_usable(fs::absolute(options.out).parent_path().string(), Use::look);
    else
      RunFolder::check_usable(options.out, use);
  });
  const std::unique_ptr<TrainingRun> run = make_run(options, config, registry, team);
  attempt(team, [&] {
    Json facts = run->facts();
    for (const char* name : {"network", "images", "normalization"}) {
      if (!known.contains(name)) facts.erase(name);
    }
    check_same("--config", known, nlohmann::json::parse(facts.dump()));
    run->take_weights();
  });
  if (options.check) {
    if (first) note("the run can begin; --check trains and writes nothing");
    return 0;
  }
  attempt(team, [&] {
    run->begin(!first     ? RunFolder(options.out, Use::look)
               : numbered ? RunFolder::first_free(options.out)
                          : RunFolder(options.out, use),
               std::move(config));
  });
  if (team) check_same_everywhere(*team, run->position());
  return (*run)();
}

int resume(const TrainOptions& options, Json config, bool longer, RunFolder folder, const Registry& registry,
           Team* team) {
  const UsePrecision precision(prepare_products(options, team));
  const std::unique_ptr<TrainingRun> run = make_run(options, config, registry, team);
  attempt(team, [&] { run->resume(std::move(folder), std::move(config), longer); });
  if (team) check_same_everywhere(*team, run->position());
  return (*run)();
}

}  // namespace evenkeel
