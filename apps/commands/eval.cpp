// evenkeel eval: a trained network's accuracy on a data set.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "apps/formats/network_file.h"
#include "apps/formats/npz.h"
#include "apps/report/page.h"
#include "apps/report/run_record.h"
#include "apps/trainer/evaluate.h"
#include "core/io/file.h"
#include "core/io/utf8.h"
#include "layers/model/inference.h"

namespace evenkeel {
namespace {

struct EvalOptions {
  std::string file, data, data_dir, split = "test", precision = "float32", logits, report;
  ModelOptions model{.model = ""};
  int64_t batch_size = evaluation_batch, samples = 0;
  PictureWords pictures;  // with --model; else the file says how, but not whether to skip bad ones
  bool views = false;
};

// The words, completed by the size and colour for which a file of evenkeel is.
PictureWords picture_words(const EvalOptions& o) {
  PictureWords words = o.pictures;
  const auto stored = read_network(o.file).metadata;
  const auto input = stored.find("input");
  if (input == stored.end() || !is_path(o.data, o.data_dir)) return words;
  const size_t last = input->second.rfind('x');
  if (words.image_size.empty()) words.image_size = input->second.substr(0, last);
  if (words.color.empty()) words.color = input->second.substr(last + 1) == "1" ? "gray" : "rgb";
  return words;
}

// The network in the file; with --model, the network that the options describe.
std::pair<NetworkFile, DataSplit> open(const EvalOptions& o, const Registry& registry) {
  if (o.model.model.empty()) {
    NetworkFile file = open_network(o.file, registry.layers);
    DataSplit split = load_images(file, o.file, registry.data, o.data, o.data_dir, o.pictures.skip_bad);
    return {std::move(file), std::move(split)};
  }
  check(!o.data.empty(), "eval: --model needs --data, for the images' shape and normalisation");
  DataSplit split =
      load_named_dataset(registry.data, o.data, o.data_dir,
                         picture_options(registry.data, picture_words(o), o.data, o.data_dir, o.model.seed));
  NetworkInfo info{o.model, o.data, measure(split.train)};
  info.model.input = split.train.image;
  info.model.classes = split.train.classes;
  info.class_names = split.train.class_names;
  return {open_weights(o.file, info, registry.layers), std::move(split)};
}

// Collects outputs and labels, batch by batch.
struct Logits {
  explicit Logits(const Dataset& data)
      : logits{"logits", "", {data.size(), data.classes}, ""}, labels{"labels", "I64", {data.size()}, ""} {}
  void add(const Tensor& outputs, const Labels& batch) {
    const StoredTensor part = store("", outputs);
    logits.dtype = part.dtype;
    logits.bytes += part.bytes;
    for (const int64_t label : batch) labels.bytes.append(reinterpret_cast<const char*>(&label), sizeof label);
  }
  StoredTensor logits, labels;
};

// The most probable class of each row (the first of equal ones) and its softmax probability.
void add_answers(const Tensor& logits, const Labels& labels, std::vector<Answer>& answers) {
  const int64_t classes = logits.channels();
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const real *x = logits.data() + i * classes, *largest = std::max_element(x, x + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(x[c]) - static_cast<double>(*largest));
    answers.push_back({labels[i], static_cast<int32_t>(largest - x), 1 / sum});
  }
}

// Images without an origin get their number within the split.
void number_images(Dataset& data, const char* part) {
  if (!data.sources.empty()) return;
  for (int64_t i = 0; i < data.size(); ++i) data.sources.push_back(fmt::format("{} image {}", part, i));
}

void write_report(const std::string& path, const EvalOptions& o, const NetworkInfo& info, const Dataset& data,
                  const Score& score, std::vector<Answer> answers) {
  std::vector<std::string> names = info.class_names;
  for (int64_t i = static_cast<int64_t>(names.size()); i < data.classes; ++i) names.push_back(std::to_string(i));
  const Evaluation e(std::move(names), std::move(answers));
  const ModelOptions& m = info.model;
  write_file(path,
             evaluation_page(e, data,
                             {.network = o.file,
                              .about = fmt::format("{}, norm {}, for {} images of {} classes; evenkeel {}", m.model,
                                                   m.norm, shape_text(m.input), m.classes, EVENKEEL_VERSION),
                              .data = fmt::format("{} {} of {}", thousands(static_cast<double>(data.size())),
                                                  o.split == "test"    ? "test images"
                                                  : o.split == "train" ? "training images"
                                                                       : "images",
                                                  data.name),
                              .loss = score.loss}));
  say("{}{}\n", evaluation_text(e), on_one_line(path));
}

}  // namespace

Action eval_command(CLI::App& app, const Registry& registry) {
  const auto o = std::make_shared<EvalOptions>();
  app.add_option("FILE", o->file, "a .safetensors file (of any program with --model), or a run's folder")->required();
  add_data_options(app, o->data, o->data_dir)->description("the data set; default: the one it was trained on");
  add_picture_options(app, o->pictures);
  add_choice(app, "--split", o->split, {"test", "train", "all"}, "which images")->group("Data");
  add_integer(app, "--samples", o->samples, 0, 1'000'000'000,
              "only N images, drawn like evenkeel train with the network's seed; 0: all")
      ->group("Data");
  add_network_options(app, o->model);
  CLI::Option* model = app.get_option("--model");
  model->description(
      "the network of the weights, as for evenkeel train; default: as the file says, with size and colour of the "
      "images");
  for (const char* name : {"--norm", "--activation", "--image-size", "--color", "--holdout", "--channels-first"})
    app.get_option(name)->needs(model);
  add_integer(app, "--batch-size", o->batch_size, 1, 1 << 20, "images evaluated at a time")->group("Running");
  add_flag(app, "--test-views", o->views,
           "test on six views of each image, like train --test-views (three if images must not be mirrored)")
      ->group("Running");
  add_text(app, "--logits", o->logits, "FILE", "write the network's outputs and the labels there, as an .npz file")
      ->group("Running");
  add_text(app, "--report", o->report, "FILE",
           "print each class's precision, recall and confusions, and write an HTML page with them, the calibration and "
           "the most confident mistakes")
      ->group("Running");
  add_precision(app, o->precision)->group("Running");
  add_threads(app)->group("Running");
  return [o, &registry] {
    const UsePrecision precision(precision_of(o->precision));
    if (!o->logits.empty() && !o->report.empty()) check_different(o->logits, o->report);
    o->file = network_path(o->file);
    auto [file, split] = open(*o, registry);
    std::vector<std::string> inputs = std::move(split.inputs);
    inputs.push_back(o->file);
    if (!o->report.empty()) number_images(split.train, "training"), number_images(split.test, "test");
    Dataset all = choose_split(std::move(split), o->split);
    const ModelOptions& m = file.info.model;
    check(all.image == m.input && all.classes == m.classes,
          "eval: {} is for {} images of {} classes, {} has {} images of {} classes", o->file, shape_text(m.input),
          m.classes, all.name, shape_text(all.image), all.classes);
    const Dataset data = draw_samples(std::move(all), o->samples, m.seed);
    for (const std::string& out : {o->logits, o->report}) {
      if (!out.empty()) check_result(out, inputs);
    }
    prepare_inference(*file.network);
    Logits logits(data);
    std::vector<Answer> answers;
    const Score score = evaluate(
        *file.network, data, file.info.normalization, o->batch_size, [](double) { return true; },
        [&](const Tensor& outputs, const Labels& labels) {
          if (!o->logits.empty()) logits.add(outputs, labels);
          if (!o->report.empty()) add_answers(outputs, labels, answers);
        },
        o->views ? test_views(data.flips) : Views{View()});
    if (!o->logits.empty()) write_file(o->logits, format_npz({logits.logits, logits.labels}));
    if (!std::isfinite(score.loss))
      fail(Fault::failed,
           "eval: the loss on {} images of {} is {}: the network's outputs overflow; use an earlier checkpoint",
           score.count, data.name, score.loss);
    say("{0} loss {1:.6g}\n{0} accuracy {2:.4f} ({3} of {4})\n", o->split, score.loss, score.accuracy(), score.correct,
        score.count);
    if (!o->report.empty()) write_report(o->report, *o, file.info, data, score, std::move(answers));
    return 0;
  };
}

}  // namespace evenkeel
