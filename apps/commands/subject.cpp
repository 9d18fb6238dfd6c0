#include "apps/commands/subject.h"

#include <algorithm>
#include <cmath>

#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "core/base/check.h"

namespace evenkeel {

void add_subject_options(CLI::App& app, SubjectOptions& o) {
  app.add_option("FILE", o.file, "a .safetensors file that evenkeel train wrote, or its run's folder")->required();
  add_data_options(app, o.data, o.data_dir)->description("the data set; default: the one it was trained on");
  add_choice(app, "--split", o.split, {"train", "test", "all"}, "which images")->group("Data");
  add_skip_bad(app, o.skip_bad);
  add_integer(app, "--samples", o.samples, 0, INT64_MAX,
              "only N images, drawn like evenkeel train with the network's seed; 0: all")
      ->group("Data");
  add_integer(app, "--batch-size", o.batch_size, 2, 1 << 20, "images at a time")->group("Running");
  add_threads(app)->group("Running");
}

Subject open_subject(SubjectOptions& o, const Registry& registry) {
  o.file = network_path(o.file);
  NetworkFile file = open_network(o.file, registry.layers);
  DataSplit split = load_images(file, o.file, registry.data, o.data, o.data_dir, o.skip_bad);
  std::vector<std::string> inputs = std::move(split.inputs);
  inputs.push_back(o.file);
  Dataset images = choose_split(std::move(split), o.split);
  const ModelOptions& m = file.info.model;
  check(images.image == m.input && images.classes == m.classes,
        "{} is for {} images of {} classes, {} has {} images of {} classes", o.file, shape_text(m.input), m.classes,
        images.name, shape_text(images.image), images.classes);
  const int64_t samples = std::min(o.samples, images.size());
  images = draw_samples(std::move(images), samples, m.seed);
  return {std::move(file), std::move(images), std::move(inputs), o.batch_size};
}

void Subject::each_batch(const std::function<void(const Batch&)>& see) const {
  Loader loader(images, file.info.normalization, {.batch_size = batch_size, .shuffle = false});
  loader.begin_epoch(0);
  for (Batch batch; loader.next(batch);) see(batch);
}

void check_outputs(const char* command, double computed) {
  if (!std::isfinite(computed))
    fail(Fault::failed, "{}: the network's outputs overflow; use an earlier checkpoint", command);
}

int64_t changed_predictions(const Tensor& a, const Tensor& b) {
  int64_t changed = 0;
  for (int64_t i = 0; i < a.rows(); ++i) {
    const auto best = [i](const Tensor& t) {
      const real* row = t.data() + i * t.channels();
      return std::max_element(row, row + t.channels()) - row;
    };
    changed += best(a) != best(b);
  }
  return changed;
}

}  // namespace evenkeel
