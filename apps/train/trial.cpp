#include "apps/train/trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/command.h"
#include "apps/cli/model_options.h"
#include "apps/cli/usage.h"
#include "apps/formats/network_file.h"
#include "apps/train/recipes.h"
#include "core/io/file.h"
#include "layers/model/safetensors.h"
#include "optim/groups.h"
#include "optim/schedule.h"

namespace evenkeel {
namespace {

// With the options of a recipe or of a config.json, where they are named.
TrainOptions whole_options(const nlohmann::json& words) {
  const bool recipe = words.contains("recipe"), config = words.contains("config");
  check(!recipe || !config, "--recipe and --config both give the options: leave out one");
  nlohmann::json all{{"options", nlohmann::json::object()}};
  std::string from = "the options";
  if (recipe || config) {
    const nlohmann::json& value = words.at(recipe ? "recipe" : "config");
    const std::string name = value.is_string() ? value.get<std::string>() : value.dump();
    from = recipe ? "recipe " + name : name;
    const std::string text = recipe ? find_recipe(name).json : read_file(name, 1 << 20);
    read_options(from, text);  // an error if it is bad
    all = nlohmann::json::parse(text);
  }
  for (const auto& [name, value] : words.items())
    if (name != "recipe" && name != "config" && name != "timeout") all["options"][name] = value;
  return read_options(from, all.dump());
}

// The network of the --init file, where the options do not say another one.
void take_stored_network(ModelOptions& m, const nlohmann::json& words) {
  const SafeTensors stored = read_safetensors(network_path(m.init));
  for (const auto& [key, value] : {std::pair("model", &m.model), {"norm", &m.norm}, {"activation", &m.activation}})
    if (const auto found = stored.metadata.find(key); found != stored.metadata.end() && !words.contains(key))
      *value = found->second;
}

}  // namespace

void Trial::check_words(const nlohmann::json& options) const {
  CLI::App train("", "evenkeel train");
  const Action values = train_command(train, registry_);  // which the options are parsed into
  for (const auto& [name, value] : options.items())
    check(name != "help" && train.get_option_no_throw("--" + name), "{}",
          name == "help" ? "--help is no option of a run" : unknown_option(train, "--" + name));
  std::vector<std::string> arguments = as_arguments(options);
  std::reverse(arguments.begin(), arguments.end());  // CLI11's order
  try {
    train.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    fail(Fault::usage, "{}", error.what());
  }
}

void Trial::operator()(const nlohmann::json& options) {
  check_words(options);
  const TrainOptions o = whole_options(options);
  check(o.shards == 1 || o.batch_size >= 2 * o.shards,
        "--shards: each needs two images of a batch, but {} shards must share {}; lower --shards or raise --batch-size",
        o.shards, o.batch_size);
  check(o.patience == 0 || o.validation > 0, "--patience: needs held-out images, --validation N");
  check(!o.blas || o.precision == "float32", "--blas: OpenBLAS computes in float32, not in {}", o.precision);
  precision_of(o.precision);
  const Augmentation augmentation = parse_augmentation(o.augment);

  nlohmann::json images{o.data,
                        o.data_dir,
                        o.samples,
                        o.validation,
                        o.pictures.image_size,
                        o.pictures.color,
                        o.pictures.holdout,
                        o.pictures.channels_first,
                        o.pictures.skip_bad};
  if (images != images_) data_ = load_training_data(o, registry_.data);
  images_ = std::move(images);

  ModelOptions model = o.model;
  const bool from_file = names_file(model.init);
  if (from_file) take_stored_network(model, options);
  model.input = data_.train.image;
  model.classes = data_.train.classes;
  if (from_file) model.init = ModelOptions().init;
  const std::unique_ptr<Sequential> network = make_named_model(model, registry_.layers);
  if (from_file) load_start(o.model.init, *network);
  network->frozen = static_cast<size_t>(o.freeze);
  check(!network->trained_parameters().empty(), "--freeze: the first {} layers hold all weights of the network",
        o.freeze);
  make_optimizer(o.optimizer, grouped(network->trained_parameters(), o.groups), registry_.optimizers);
  const Loader loader(data_.train, measure(data_.train),
                      {.batch_size = o.batch_size,
                       .augment = o.augment.on,
                       .augmentation = augmentation,
                       .shards = o.shards,
                       .end_shard = o.shards});
  check(loader.batches() > 0, "{} images give no batch of {}", data_.train.size(), o.batch_size);
  const auto warmup = std::llround(o.warmup * static_cast<double>(loader.batches()));
  parse_schedule(o.schedule, o.lr, o.epochs, loader.batches(), warmup);
}

}  // namespace evenkeel
