// Training: from options to a folder of results.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/data_options.h"
#include "apps/cli/program.h"
#include "apps/train/run_folder.h"

namespace evenkeel {

struct TrainOptions {
  std::string data = "synthetic", data_dir;
  int64_t validation = 0;  // training images held out, to choose the best epoch by
  int64_t samples = 0;     // training images drawn by the seed, of all classes in proportion; 0: all
  PictureWords pictures;   // how a folder of pictures is read
  AugmentWords augment;

  ModelOptions model;  // its seed is that of everything
  int64_t epochs = 5, batch_size = 64;
  std::string optimizer = "sgd:momentum=0.9:weight_decay=0.0005";
  double lr = 0;       // 0: the optimiser's own
  std::string groups;  // parameters with rates and decays of their own
  std::string schedule = "cosine";
  double warmup = 0;  // epochs
  double clip = 0;    // 0: off
  double label_smoothing = 0;
  int64_t freeze = 0;    // the first so many layers are not trained
  int64_t patience = 0;  // epochs without a better validation accuracy after which the run ends; 0: it goes on
  double average = 0;    // what the average of the weights keeps in a step; 0: there is none

  bool test_views = false;  // test the last network on several views of each image too
  bool blas = false;
  int64_t checkpoint_every = 0;  // steps; 0: after every epoch only

  std::string file;       // the config.json that they come from, if they come from nowhere else
  std::string out;        // the folder
  bool numbered = false;  // where it is not free: the first that is of out-2, out-3 ...
  bool overwrite = false;
};

// The options in the contents of a config.json; Error(Fault::bad_file) with the name where they are not what they must
// be.
TrainOptions read_options(const std::string& name, const std::string& json);

// Whether --init names a file of weights, which then take the place of random ones: by its name alone, so that a run
// goes on where the file is gone.
bool names_file(const std::string& init);

// Trains, and writes config.json, log.csv, curves.svg, last.safetensors, best.safetensors and, with an average,
// average.safetensors into the folder. `config` is what config.json begins with: its "options" are those of the run.
// `known` is what an earlier run's config.json says of its images and its network; where these are others the run is
// refused. Returns the exit status: 0, or 128 + n where signal n stopped it. Error(Fault::failed) where the loss is not
// finite.
int train(const TrainOptions& options, nlohmann::ordered_json config, const nlohmann::ordered_json& known,
          const Registry& registry);
// Goes on with the run that the folder holds; `longer`: for as many epochs as the options say, which may be more than
// it was begun with.
int resume(const TrainOptions& options, nlohmann::ordered_json config, bool longer, RunFolder folder,
           const Registry& registry);

// f(); where its options come from that file alone, what is wrong with them is the file's fault.
template <class F>
auto blaming(const std::string& file, F f) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.fault != Fault::usage || file.empty()) throw;
    fail(Fault::bad_file, "{}: {}", file, error.what());
  }
}

}  // namespace evenkeel
