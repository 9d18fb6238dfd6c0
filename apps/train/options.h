// The options that define a training run: on the command line, as JSON in config.json and recipes, and as values.
#pragma once
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "apps/cli/options.h"

namespace evenkeel {

struct TrainOptions {
  std::string data = "synthetic", data_dir;
  int64_t validation = 0;  // training images held out to choose the best epoch
  int64_t samples = 0;     // training images to draw by the seed, of all classes in proportion; 0: all
  PictureWords pictures;   // how a folder of pictures is read
  AugmentWords augment;

  ModelOptions model;  // its seed is used for everything
  int64_t epochs = 5, batch_size = 64, shards = 1;
  std::string optimizer = "sgd:momentum=0.9:weight_decay=0.0005";
  double lr = 0;       // 0: the optimiser's default
  std::string groups;  // factors on learning rate and decay, by parameter name
  std::string schedule = "cosine";
  double warmup = 0;  // epochs
  double clip = 0;    // 0: off
  double label_smoothing = 0;
  int64_t freeze = 0;    // number of first layers that are not trained
  int64_t patience = 0;  // ends the run after this many epochs without a better validation accuracy; 0: never
  double average = 0;    // decay of the average of the weights, per step; 0: no average

  bool test_views = false;            // also test the last network on several views of each image
  std::string precision = "float32";  // of products
  bool blas = false;
  int64_t checkpoint_every = 0;  // steps; 0: after every epoch only

  std::string file;       // the config.json, if all options come from it
  std::string out;        // the folder
  bool numbered = false;  // if it is not free, use the first free one of out-2, out-3 ...
  bool overwrite = false;
  bool check = false;  // only find out whether the run can begin
};

// Whether --init names a file of weights instead of random ones. Decided by the name alone, so that a run can be
// resumed without the file.
bool names_file(const std::string& init);

// Adds the options to `app`, which sets `o`. Of an option that is given twice the last counts.
void add_run_options(CLI::App& app, TrainOptions& o);

// A CLI::App with only these options, to read config.json.
struct RunOptions {
  CLI::App app;
  TrainOptions values;
  RunOptions() { add_run_options(app, values); }
};

// name -> value of the run's options; with `all`, defaults too. Error(Fault::usage) for a text that is not UTF-8.
nlohmann::ordered_json option_values(const CLI::App& app, bool all);

// Options by name, a JSON object, as arguments of evenkeel train.
template <class Values>
std::vector<std::string> as_arguments(const Values& values) {
  std::vector<std::string> arguments;
  for (const auto& [name, value] : values.items()) {
    arguments.push_back(
        fmt::format("--{}={}", name, value.is_string() ? value.template get<std::string>() : value.dump()));
  }
  return arguments;
}

}  // namespace evenkeel
