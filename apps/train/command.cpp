// evenkeel train: the options, config.json, and --resume.
#include "apps/cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <thread>
#include <tuple>

#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "apps/distributed/team.h"
#include "apps/formats/network_file.h"
#include "apps/train/recipes.h"
#include "apps/train/run.h"
#include "core/base/parallel.h"
#include "core/base/processor.h"
#include "core/io/file.h"
#include "core/io/json_check.h"
#include "layers/model/safetensors.h"
#include "optim/lookahead.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;

// The options that define the run, as config.json stores them.
void add_run_options(CLI::App& app, TrainOptions& o) {
  constexpr int64_t many = 1'000'000'000;
  add_data_options(app, o.data, o.data_dir);
  add_picture_options(app, o.pictures);
  add_integer(app, "--samples", o.samples, 0, many,
              "train on only N images, of all classes in proportion, drawn by the seed; 0: all")
      ->group("Data");
  add_integer(
      app, "--validation", o.validation, 0, many,
      "hold out N training images and choose the best epoch by them; 0: by the test images, which is biased upwards")
      ->group("Data");
  add_augmentation_options(app, o.augment);

  add_network_options(app, o.model);
  add_text(app, "--init", o.model.init, "INIT",
           "initial weights: he, glorot, uniform, dirac, gaussian:DEVIATION, or a safetensors file of evenkeel or "
           "PyTorch (a name with a dot or a slash), with its running averages; evenkeel's file also sets model, norm "
           "and activation, unless they are given")
      ->group("Network");

  add_integer(app, "--epochs", o.epochs, 1, 1'000'000, "passes over the training images")->group("Training");
  add_integer(app, "--batch-size", o.batch_size, 1, 1 << 20, "images in a step")->group("Training");
  add_integer(app, "--shards", o.shards, 1, 1 << 16,
              "cut each batch into N shards, which processes can share, with the gradients and the batch statistics of "
              "the whole batch; it decides the last bits, the number of processes does not")
      ->group("Training");
  std::vector<std::string> usages, rates;
  for (const auto& [name, kind] : standard_optimizers()) {
    usages.push_back(kind.usage);
    rates.push_back(fmt::format("{} of {}", kind.lr, name));
  }
  add_text(app, "--optimizer", o.optimizer, "NAME",
           joined(usages, " or ") + "; each takes " + usage_options<LookaheadOptions>())
      ->group("Training");
  add_number(app, "--lr", o.lr, {.low = 0, .high = 1e9, .above = true},
             "learning rate; default: the optimiser's, " + joined(rates))
      ->default_str("")
      ->group("Training");
  add_text(app, "--groups", o.groups, "GROUPS",
           "factors on the learning rate and weight decay of parameters by name; the first matching word counts: "
           "\"PATTERN[:lr=1][:decay=1] ...\", as in \"*.bias:lr=64:decay=0.015625\"")
      ->group("Training");
  add_text(app, "--schedule", o.schedule, "SCHEDULE",
           "learning rate over the run: constant, cosine, step:0.5,0.75 (ten times smaller after half and three "
           "quarters of it), "
           "step:60,80:0.2 (five times smaller after 60 and 80 epochs), linear:0=0.2,0.25=1,1=0 (piecewise linear: a "
           "fifth at first, the full rate after a quarter of the run, 0 at the end)")
      ->group("Training");
  add_number(app, "--warmup", o.warmup, {.low = 0, .high = 1e6},
             "epochs over which the learning rate grows linearly to its value")
      ->group("Training");
  add_number(app, "--clip", o.clip, {.low = 0, .high = 1e30}, "largest norm of all gradients together; 0: no limit")
      ->group("Training");
  add_number(app, "--label-smoothing", o.label_smoothing, {.low = 0, .high = 0.999},
             "fraction of the target distribution that is uniform over all classes")
      ->group("Training");
  add_integer(app, "--freeze", o.freeze, 0, 10'000,
              "do not change the first N layers (numbers as in evenkeel model) and their running averages")
      ->group("Training");
  add_integer(app, "--patience", o.patience, 0, 1'000'000,
              "end when the accuracy on the --validation images has not improved for N epochs; 0: never")
      ->group("Training");
  add_number(app, "--average", o.average, {.low = 0, .high = 0.9999999},
             "also keep an exponential moving average of the weights with this decay per step (as 0.999), and save it "
             "with its own running averages in average.safetensors; 0: none")
      ->group("Training");
  add_seed(app, "--seed", o.model.seed,
           "seed of weights, order, augmentation and dropout, and of the images that are drawn or held out")
      ->group("Training");
  add_integer(app, "--checkpoint-every", o.checkpoint_every, 0, many,
              "save last.safetensors after every N steps too; 0: after every epoch only")
      ->group("Running");
  add_flag(app, "--test-views", o.test_views,
           "at the end also test on six views of each image: unshifted and shifted by a pixel in two directions, each "
           "also mirrored (three views if --augment would not mirror)")
      ->group("Running");
  add_precision(app, o.precision)->group("Running");
  add_flag(app, "--blas", o.blas, "compute matrix products by OpenBLAS, whose last bits depend on the processor")
      ->group("Running");
  add_threads(app)->group("Running");
  for (CLI::Option* option : app.get_options()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

// A CLI::App with only these options, to read config.json.
struct RunOptions {
  CLI::App app;
  TrainOptions values;
  RunOptions() { add_run_options(app, values); }
};

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }

// name -> value of the run's options; with `all`, defaults too.
Json option_values(const CLI::App& app, bool all) {
  const RunOptions known;
  Json values = Json::object();
  for (const CLI::Option* named : known.app.get_options()) {
    const std::string name = named->get_single_name();
    if (name == "help") continue;
    const CLI::Option* option = app.get_option("--" + name);
    if (option->count() == 0 && (!all || name == "threads")) continue;  // the default is the machine's, not the run's
    if (is_flag(*option)) {
      values[name] = option->count() > 0 && option->as<bool>();
      continue;
    }
    const std::string text = option->count() > 0 ? option->results().back() : option->get_default_str();
    if (text.empty()) continue;
    check(is_utf8(text), "--{}: must be text in UTF-8, since config.json keeps it, got \"{}\"", name, legal_text(text));
    // A number if JSON would write it as typed; else a text: 1e3 may be a folder's name.
    const Json number = Json::parse(text, nullptr, false);
    values[name] = number.is_number() && number.dump() == text ? number : Json(text);
  }
  return values;
}

std::string quoted(const std::string& argument) {
  if (argument.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/+") ==
      std::string::npos)
    return argument;
  std::string text = "'";
  for (char c : argument) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

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

// The options of a config.json, after the arguments on the command line.
std::unique_ptr<RunOptions> read_config(const std::string& path, const std::string& json,
                                        const std::vector<std::string>& given) {
  check_json(json, path);
  nlohmann::json config = nlohmann::json::parse(json);  // ordered_json takes quadratic time
  if (!config.is_object() || !config.contains("options") || !config["options"].is_object()) {
    fail(Fault::bad_file, "{}: must be a JSON object with \"options\" in it, as evenkeel train writes it", path);
  }
  read_old_optimizer(config["options"]);
  auto options = std::make_unique<RunOptions>();
  for (const auto& [name, value] : config["options"].items()) {
    if (name == "help" || !options->app.get_option_no_throw("--" + name))
      fail(Fault::bad_file, "{}: there is no option \"{}\"", path, name);
    if (!value.is_primitive() || value.is_null())
      fail(Fault::bad_file, "{}: the option \"{}\" must be a text, a number, true or false", path, name);
  }
  std::vector<std::string> arguments = as_arguments(config["options"]);
  arguments.insert(arguments.end(), given.begin(), given.end());
  std::reverse(arguments.begin(), arguments.end());  // CLI11's order
  try {
    options->app.parse(std::move(arguments));
  } catch (const CLI::Error& error) {
    fail(Fault::bad_file, "{}: {}", path, error.what());
  }
  return options;
}

// The facts in config.json on images and network that must still hold: all except those that options on the command
// line change.
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

// Completes the options for config.json: the optimiser's learning rate, the network of the --init file.
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
  check(o.patience == 0 || o.validation > 0, "--patience: needs held-out images, --validation N");
}

// The network of the --init file, except for given options.
void take_network(CLI::App& app, ModelOptions& m) {
  std::string said;
  const auto stored = read_safetensors(m.init).metadata;
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

bool names_file(const std::string& init) {
  return init.find_first_of("./") != std::string::npos && !init.starts_with("gaussian:");
}

TrainOptions read_options(const std::string& name, const std::string& json) {
  return read_config(name, json, {})->values;
}

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
      "Written to the folder: config.json (to run it again: --config), log.csv (one row per epoch), curves.svg,\n"
      "last.safetensors (after every epoch, and when stopped), best.safetensors (the epoch with the best accuracy on\n"
      "the held-out images, or without --validation on the test images). The last line gives the test accuracy of\n"
      "both. train loss and train acc are means over the epoch's images, each taken in its training step (the loss "
      "with\n"
      "label smoothing); test and valid are measured after the epoch; seconds include them.\n"
      "Ctrl-C (or SIGTERM) finishes the step, saves last.safetensors and exits with 130 (143); a second one ends at "
      "once.");
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
      const bool changed = std::any_of(given.items().begin(), given.items().end(),
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
    std::string command = "evenkeel train";
    for (const std::string& argument : as_arguments(values)) command += " " + quoted(argument);
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
