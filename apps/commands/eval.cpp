// evenkeel eval: a trained network's accuracy on a data set.
#include <fmt/core.h>

#include <cmath>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "apps/formats/network_file.h"
#include "apps/formats/npz.h"
#include "apps/trainer/evaluate.h"
#include "core/base/file.h"
#include "layers/model/inference.h"

namespace evenkeel {
namespace {

struct EvalOptions {
  std::string file, data, data_dir, split = "test", logits;
  ModelOptions model{.model = ""};
  int64_t batch_size = evaluation_batch, samples = 0;
  bool skip_bad = false;
};

// What the file says it is; with --model, what the options say.
std::pair<NetworkFile, DataSplit> open(const EvalOptions& o, const Vocabulary& vocabulary) {
  if (o.model.model.empty()) {
    NetworkFile file = open_network(o.file, vocabulary);
    DataSplit split = load_images(file, o.file, o.data, o.data_dir, o.skip_bad);
    return {std::move(file), std::move(split)};
  }
  check(!o.data.empty(), "eval: with --model it needs --data: the images' shape, and by what to normalise them");
  DataSplit split = load_named_dataset(o.data, o.data_dir, {.skip_bad = o.skip_bad});
  NetworkInfo info{o.model, o.data, measure(split.train)};
  info.model.input = split.train.image;
  info.model.classes = split.train.classes;
  info.class_names = split.train.class_names;
  return {open_weights(o.file, info, vocabulary), std::move(split)};
}

void write_logits(const std::string& path, Layer& network, const Dataset& data, const Normalization& normalization,
                  int64_t batch_size) {
  const Recording off(false);
  Loader loader(data, normalization, {.batch_size = batch_size, .shuffle = false});
  loader.begin_epoch(0);
  StoredTensor logits{"logits", "", {data.size(), data.classes}, ""}, labels{"labels", "I64", {data.size()}, ""};
  for (Batch batch; loader.next(batch);) {
    const StoredTensor part = store("", network.forward(batch.x, Mode::eval));
    logits.dtype = part.dtype;
    logits.bytes += part.bytes;
    for (const int64_t label : batch.labels) labels.bytes.append(reinterpret_cast<const char*>(&label), sizeof label);
  }
  write_file(path, format_npz({logits, labels}));
}

}  // namespace

Action eval_command(CLI::App& app, const Vocabulary& vocabulary) {
  const auto o = std::make_shared<EvalOptions>();
  app.add_option("FILE", o->file, "a .safetensors file, with --model of any program's; or a run's folder")->required();
  add_data_options(app, o->data, o->data_dir)->description("the data set; left out: the one it was trained on");
  add_skip_bad(app, o->skip_bad);
  add_choice(app, "--split", o->split, {"test", "train", "all"}, "which images")->group("Data");
  add_integer(app, "--samples", o->samples, 0, 1'000'000'000,
              "N images only, drawn as evenkeel train does with the network's seed; 0: all")
      ->group("Data");
  add_network_options(app, o->model);
  CLI::Option* model = app.get_option("--model");
  model->description("what network the weights are for, as in evenkeel train; left out: what the file says");
  for (const char* name : {"--norm", "--activation"}) app.get_option(name)->needs(model);
  add_integer(app, "--batch-size", o->batch_size, 1, 1 << 20, "images evaluated at a time")->group("Running");
  add_text(app, "--logits", o->logits, "FILE", "write the network's outputs and the labels there, as an .npz file")
      ->group("Running");
  add_threads(app)->group("Running");
  return [o, &vocabulary] {
    o->file = network_path(o->file);
    auto [file, split] = open(*o, vocabulary);
    const std::string folder = split.folder;
    const Dataset all = choose_split(std::move(split), o->split);
    const ModelOptions& m = file.info.model;
    check(all.image == m.input && all.classes == m.classes,
          "eval: {} is for {} images of {} classes, {} has {} images of {} classes", o->file, shape_text(m.input),
          m.classes, all.name, shape_text(all.image), all.classes);
    const Dataset data = draw_samples(all, o->samples, m.seed);
    if (!o->logits.empty()) check_output(o->logits, {o->file, folder});
    prepare_inference(*file.network);
    if (!o->logits.empty()) write_logits(o->logits, *file.network, data, file.info.normalization, o->batch_size);
    const Score score = evaluate(*file.network, data, file.info.normalization, o->batch_size);
    if (!std::isfinite(score.loss))
      fail(Fault::failed, "eval: the loss on {} images of {} is {}: the network's outputs overflow", score.count,
           data.name, score.loss);
    say("{0} loss {1:.6g}\n{0} accuracy {2:.4f} ({3} of {4})\n", o->split, score.loss, score.accuracy(), score.correct,
        score.count);
    return 0;
  };
}

}  // namespace evenkeel
