// The options for images: --data, --data-dir, and how a folder of pictures is read.
#pragma once
#include "apps/cli/options.h"
#include "data/catalogue/load.h"
#include "data/loader.h"

namespace evenkeel {

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir);
// Both; returns --data.
CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir);

// The command line's texts on how to read a folder of pictures.
struct PictureWords {
  std::string image_size, color;
  double holdout = PictureOptions().holdout;
  bool channels_first = false, skip_bad = false;
};
void add_picture_options(CLI::App& app,
                         PictureWords& words);  // --image-size, --color, --holdout, --channels-first, --skip-bad
CLI::Option* add_skip_bad(CLI::App& app, bool& skip_bad);
// Error if `data` is the name of a set, of `own` or the library's, which fixes size and colour, and words.image_size or
// words.color is given.
PictureOptions picture_options(const DataSets& own, const PictureWords& words, const std::string& data,
                               const std::string& data_dir, uint64_t seed);

// --augment and --augmentation.
struct AugmentWords {
  bool on = false;
  std::string how;
};
void add_augmentation_options(CLI::App& app, AugmentWords& words);
// Parses --augmentation, as in crop=2:border=reflect. Error if it is given without --augment.
Augmentation parse_augmentation(const AugmentWords& words);
// "on" or "off", if --augmentation says flip=on or flip=off, which decides for any data set; else "".
std::string flip_word(const AugmentWords& words);
void allow_flips(const std::string& flip, DataSplit& split);

// A data set of `own`, else load_dataset(); an unknown name gets a suggestion. Prints the folder on stderr, and
// progress if reading takes long. Throws Stopped after a signal.
DataSplit load_named_dataset(const DataSets& own, const std::string& name, const std::string& data_dir,
                             PictureOptions pictures = {});
// The folder of the cache of decoded pictures; empty if there is none.
std::string picture_cache_folder();
// The images of a split: test, train or all.
Dataset choose_split(DataSplit split, const std::string& which);
// `samples` images of all classes in proportion, drawn by the seed, as --samples asks; 0: all.
Dataset draw_samples(Dataset data, int64_t samples, uint64_t seed);
void check_dataset_name(const std::string& name, const DataSets& own = {});

}  // namespace evenkeel
