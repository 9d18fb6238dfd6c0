// evenkeel eval: a trained network's accuracy on a data set.
#include <fmt/core.h>

#include "apps/command.h"
#include "apps/data_options.h"
#include "apps/evaluate.h"
#include "apps/model_options.h"
#include "apps/network_file.h"

namespace evenkeel {

Action eval_command(CLI::App& app, const Vocabulary& vocabulary) {
  struct Options {
    std::string file, data, data_dir, split = "test";
    int64_t batch_size = evaluation_batch;
  };
  const auto o = std::make_shared<Options>();
  app.add_option("FILE", o->file, "a .safetensors file that evenkeel train wrote")->required();
  add_data_options(app, o->data, o->data_dir)->description("the data set; left out: the one it was trained on");
  add_choice(app, "--split", o->split, {"test", "train"}, "which images")->group("Data");
  add_integer(app, "--batch-size", o->batch_size, 1, 1 << 20, "images evaluated at a time")->group("Running");
  add_threads(app)->group("Running");
  return [o, &vocabulary] {
    const NetworkFile file = open_network(o->file, vocabulary);
    const DataSplit split = load_named_dataset(o->data.empty() ? file.info.data : o->data, o->data_dir);
    const Dataset& data = o->split == "train" ? split.train : split.test;
    const ModelOptions& m = file.info.model;
    check(data.image == m.input && data.classes == m.classes,
          "eval: {} is for {} images of {} classes, {} has {} images of {} classes", o->file, shape_text(m.input), m.classes,
          data.name, shape_text(data.image), data.classes);
    const Score score = evaluate(*file.network, data, file.info.normalization, o->batch_size);
    fmt::print("{0} loss {1:.6g}\n{0} accuracy {2:.4f} ({3} of {4})\n", o->split, score.loss, score.accuracy(), score.correct,
               score.count);
    return 0;
  };
}

}  // namespace evenkeel
