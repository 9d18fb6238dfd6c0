// The options that say which images: --data, --data-dir, and how a folder of pictures is read.
#pragma once
#include "apps/cli/options.h"
#include "data/catalogue/load.h"
#include "data/loader.h"

namespace evenkeel {

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir);
// Both; returns --data.
CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir);

// How a folder of pictures is read, as the command line says it.
struct PictureWords {
  std::string image_size, color;
  double holdout = PictureOptions().holdout;
  bool channels_first = false, skip_bad = false;
};
void add_picture_options(CLI::App& app,
                         PictureWords& words);  // --image-size, --color, --holdout, --channels-first, --skip-bad
CLI::Option* add_skip_bad(CLI::App& app, bool& skip_bad);
// A data set by name has images of one size and colour: an error where words.image_size or words.color is given too.
PictureOptions picture_options(const PictureWords& words, const std::string& data, const std::string& data_dir,
                               uint64_t seed);

// --augment and --augmentation.
struct AugmentWords {
  bool on = false;
  std::string how;
};
void add_augmentation_options(CLI::App& app, AugmentWords& words);
// What --augmentation says, as crop=2:border=reflect, to a loader that augments. Error where --augment is not given.
Augmentation parse_augmentation(const AugmentWords& words);
// Where it says flip=on, images of every set are mirrored, not only of one that allows it.
void allow_flips(const AugmentWords& words, DataSplit& split);

// One of the program's own, else load_dataset, with the nearest name where it is mistyped; says on stderr from which
// folder it is read, and shows progress where that takes long. Throws Stopped where a signal came.
DataSplit load_named_dataset(const DataSets& own, const std::string& name, const std::string& data_dir,
                             PictureOptions pictures = {});
// The folder in which decoded pictures are kept for the next time; empty: there is none.
std::string picture_cache_folder();
// The images of a split: test, train or all.
Dataset choose_split(DataSplit split, const std::string& which);
// `samples` images of all classes in proportion, drawn by the seed, as --samples asks; 0: all.
Dataset draw_samples(Dataset data, int64_t samples, uint64_t seed);
void check_dataset_name(const std::string& name, const DataSets& own = {});

}  // namespace evenkeel
