#include "apps/train/options.h"

#include "apps/cli/text.h"
#include "core/base/check.h"
#include "optim/lookahead.h"
#include "optim/named_optimizers.h"

namespace evenkeel {

bool names_file(const std::string& init) {
  return init.find_first_of("./") != std::string::npos && !init.starts_with("gaussian:");
}

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

namespace {

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }

}  // namespace

nlohmann::ordered_json option_values(const CLI::App& app, bool all) {
  const RunOptions known;
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
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
    const nlohmann::ordered_json number = nlohmann::ordered_json::parse(text, nullptr, false);
    values[name] = number.is_number() && number.dump() == text ? number : nlohmann::ordered_json(text);
  }
  return values;
}

}  // namespace evenkeel
