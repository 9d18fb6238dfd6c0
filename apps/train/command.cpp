// evenkeel train: where the options come from (command line, recipe, config.json, a run to resume), and where the
// results go.
#include "apps/cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <thread>

#include "apps/cli/console.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "apps/distributed/team.h"
#include "apps/formats/network_file.h"
#include "apps/train/config.h"
#include "apps/train/recipes.h"
#include "apps/train/run.h"
#include "core/base/parallel.h"
#include "core/base/processor.h"
#include "core/io/file.h"
#include "core/io/process.h"
#include "layers/init.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;

std::string default_folder(const TrainOptions& o) {
  std::string data = o.data;
  if (is_path(data, o.data_dir)) {  // the name of its folder
    while (data.size() > 1 && data.ends_with('/')) data.pop_back();
    data = data.substr(data.rfind('/') + 1).substr(0, 60);
  }
  std::string name =
      fmt::format("{}-{}-{}-{}", data, o.model.model.substr(0, 60), o.model.norm.substr(0, 60), o.model.seed);
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.' && c != '=') c = '_';
  }
  return "runs/" + name;
}

// Checks the options that depend on one another, and sets the optimiser's learning rate if none is given.
void complete(CLI::App& app, TrainOptions& o, const Registry& registry) {
  std::vector<std::string> names;
  for (const auto& [name, kind] : registry.optimizers) names.push_back(name);
  const std::string wrong = unknown_word("optimizer", o.optimizer.substr(0, o.optimizer.find(':')), names);
  check(wrong.empty(), "{}", wrong);
  make_optimizer(o.optimizer, {}, registry.optimizers);
  if (o.lr == 0) {
    o.lr = find_optimizer(o.optimizer, registry.optimizers).lr;
    app.get_option("--lr")->default_str(fmt::format("{}", o.lr));
  }
  parse_augmentation(o.augment);
  check(o.shards == 1 || o.batch_size >= 2 * o.shards,
        "--shards: each needs two images of a batch, but {} shards must share {}; lower --shards or raise --batch-size",
        o.shards, o.batch_size);
  try {
    if (!names_file(o.model.init)) parse_init(o.model.init);
  } catch (const Error& error) {
    fail(Fault::usage, "--{}; the name of a file or run needs a dot or a slash here: --init ./{}", error.what(),
         o.model.init);
  }
  check(o.patience == 0 || o.validation > 0, "--patience: needs held-out images, --validation N");
}

// The network of the --init file, except for given options.
void take_network(CLI::App& app, ModelOptions& m) {
  std::string said;
  const auto stored = read_network(m.init).metadata;
  for (const auto& [key, value] : {std::pair("model", &m.model), {"norm", &m.norm}, {"activation", &m.activation}}) {
    CLI::Option* option = app.get_option(std::string("--") + key);
    const auto found = stored.find(key);
    if (option->count() > 0 || found == stored.end()) continue;
    *value = found->second;
    for (const std::string& name : model_names())
      if (key == std::string("model") && model_spec(name) == *value) *value = name;
    option->default_str(*value);
    said += fmt::format("{}{} {}", said.empty() ? "" : ", ", key, *value);
  }
  if (!said.empty()) note(fmt::format("--init {}: from the file, {}", m.init, said));
}

}  // namespace

Action train_command(CLI::App& app, const Registry& registry) {
  struct Options {
    TrainOptions run;
    std::string out, config, recipe, resume;
    bool overwrite = false, list_recipes = false, check = false;
    double timeout = 60;
  };
  const auto o = std::make_shared<Options>();
  add_run_options(app, o->run);
  add_text(app, "--out", o->out, "DIR", "folder of the results; if the default is not free, -2, -3 ... is appended")
      ->default_str("runs/DATA-MODEL-NORM-SEED")
      ->group("Running");
  add_flag(app, "--overwrite", o->overwrite, "replace the results in a folder that is not empty")->group("Running");
  add_flag(app, "--check", o->check, "only find out whether the run can begin, by all that is checked before it")
      ->group("Running");
  add_text(app, "--recipe", o->recipe, "NAME",
           "take the options from a recipe; options given here override it. --list-recipes shows all")
      ->group("Running");
  add_flag(app, "--list-recipes", o->list_recipes, "print every recipe with its options, and exit")->group("Running");
  add_text(app, "--config", o->config, "FILE",
           "take the options from a run's config.json; options given here override it")
      ->group("Running");
  add_text(app, "--resume", o->resume, "RUN",
           "resume the stopped run of a folder (or its last.safetensors), or extend it with --epochs; the options come "
           "from its config.json")
      ->group("Running");
  add_number(app, "--timeout", o->timeout, {.low = 1, .high = 1e6},
             "under mpirun, end when a process got no answer from another one for N seconds")
      ->group("Running");
  app.footer(
      "Written to the folder: config.json (to run it again: --config), log.csv (one row per epoch), curves.svg, "
      "last.safetensors (after every epoch, and when stopped), best.safetensors (the epoch with the best accuracy "
      "on the held-out images, or without --validation on the test images). The last line gives the test accuracy "
      "of both. train loss and train acc are means over the epoch's images, each taken in its training step (the "
      "loss with label smoothing); test and valid are measured after the epoch; seconds include them.\n"
      "Ctrl-C (or SIGTERM) finishes the step, saves last.safetensors and exits with 130 (143); a second one ends "
      "at once.");
  const auto act = [o, &app, &registry](Team* team) {
    check(o->resume.empty() || (o->config.empty() && o->recipe.empty() && o->out.empty() && !o->overwrite && !o->check),
          "--resume takes everything from the folder: leave out --config, --recipe, --out, --overwrite and --check");
    check(o->config.empty() || o->recipe.empty(), "--recipe and --config both give the options: leave out one");
    if (!o->resume.empty()) {
      const Json given = option_values(app, false);
      for (const auto& [name, value] : given.items()) {
        check(name == "threads" || name == "data-dir" || name == "epochs",
              "--resume: --{} is the folder's; only --epochs, --threads and --data-dir can be given", name);
      }
    }
    const Json given = option_values(app, false);
    std::optional<RunFolder> folder;
    for (const bool first : {true, false}) {  // the one that locks the folder, then the others
      attempt(team, [&] {
        if (o->resume.empty() || first != (!team || team->rank() == 0)) return;
        folder.emplace(resumed_folder(o->resume), first ? RunFolder::Use::resume : RunFolder::Use::look);
      });
    }
    const std::string config = folder ? *folder / "config.json" : o->config;
    std::error_code ignored;
    if (folder && !std::filesystem::exists(config, ignored))
      fail(Fault::missing,
           "--resume {}: a run's folder has a config.json, this one has none; evenkeel runs lists the runs", o->resume);
    std::unique_ptr<RunOptions> from_file;
    Json known = Json::object();
    if (!o->recipe.empty()) {
      const Recipe& recipe = find_recipe(o->recipe);
      from_file = read_config("recipe " + recipe.name, recipe.json, as_arguments(given));
    }
    if (!config.empty()) {
      const std::string text = read_file(config, 1 << 20);
      from_file = read_config(config, text, as_arguments(given));
      known = known_facts(nlohmann::json::parse(text), given);
      const auto beside = [](const char* name) {
        return name != std::string("threads") && name != std::string("data-dir");
      };
      const bool changed = !folder && std::any_of(given.items().begin(), given.items().end(),
                                                  [&](const auto& o) { return beside(o.key().c_str()); });
      from_file->values.file = changed ? "" : config;
    }
    if (team && !given.contains("threads"))
      set_threads(std::max(1, static_cast<int>(std::thread::hardware_concurrency() / team->on_this_host())));
    TrainOptions& options = from_file ? from_file->values : o->run;
    CLI::App& chosen = from_file ? from_file->app : app;
    blaming(options.file, [&] { complete(chosen, options, registry); });  // fail before the data is read
    if (names_file(options.model.init) && !folder) {
      options.model.init = network_path(options.model.init);
      take_network(chosen, options.model);
    }
    const Json values = option_values(chosen, true);
    std::vector<std::string> words = as_arguments(values);
    words.insert(words.begin(), {"evenkeel", "train"});
    const std::string command = shell_text(words);
    if (folder) {
      Json kept = Json::parse(read_file(config, 1 << 20));
      kept.update(Json{{"command", command}, {"options", values}});
      const Json level = kept.contains("level") ? kept["level"] : Json(instruction_level());
      if (level != instruction_level())
        note(fmt::format(
            "--resume: the run began with the instructions of {} and continues with those of {}: the last bits differ",
            level.dump(), instruction_level()));
      return resume(options, std::move(kept), given.contains("epochs"), std::move(*folder), registry, team);
    }
    options.overwrite = o->overwrite;
    options.check = o->check;
    options.numbered = o->out.empty();
    options.out = options.numbered ? default_folder(options) : o->out;
    return train(
        options,
        {{"evenkeel", EVENKEEL_VERSION}, {"level", instruction_level()}, {"command", command}, {"options", values}},
        known, registry, team);
  };
  return [o, act] {
    if (o->list_recipes) {
      say("{}", recipe_list());
      return 0;
    }
    const std::unique_ptr<Team> team = join_team(o->timeout);
    return as_one(team.get(), [&] { return act(team.get()); });
  };
}

}  // namespace evenkeel
