#include "apps/train/training_data.h"

#include <tuple>

#include "apps/cli/console.h"
#include "apps/cli/data_options.h"

namespace evenkeel {

namespace {

void check_classes(const Dataset& data) {
  check(data.class_names.empty() || static_cast<int64_t>(data.class_names.size()) == data.classes,
        "train: {} has {} classes, which need as many class_names or none, got {}", data.name, data.classes,
        data.class_names.size());
  for (size_t i = 0; i < data.labels.size(); ++i)
    check(data.labels[i] >= 0 && data.labels[i] < data.classes, "train: the labels of {} must be 0 to {}, got {} at {}",
          data.name, data.classes - 1, data.labels[i], i);
}

}  // namespace

TrainingData load_training_data(const TrainOptions& o, const DataSets& own) {
  DataSplit split =
      load_named_dataset(own, o.data, o.data_dir, picture_options(own, o.pictures, o.data, o.data_dir, o.model.seed));
  allow_flips(flip_word(o.augment), split);
  check(split.train.size() > 0 && split.test.size() > 0,
        "train: the data must have images to train on and images to test on; {} has {} and {}", o.data,
        split.train.size(), split.test.size());
  check_classes(split.train);
  check_classes(split.test);
  TrainingData data{draw_samples(std::move(split.train), o.samples, o.model.seed),
                    {},
                    std::move(split.test),
                    std::move(split.folder),
                    std::move(split.inputs),
                    split.held_out};
  if (o.validation > 0) {
    check(o.validation < data.train.size(), "--validation: must be less than {}, the number of training images, got {}",
          data.train.size(), o.validation);
    Random random = Random(o.model.seed).split("validation");
    std::tie(data.train, data.validation) = hold_out(data.train, o.validation, random);
  }
  if (data.train.size() > 1 && data.train.size() < o.batch_size)
    note(fmt::format("{}: {} images to train on are fewer than a batch of {}: an epoch is one step of all of them",
                     o.data, data.train.size(), o.batch_size));
  return data;
}

}  // namespace evenkeel
