#include "apps/commands/data_show.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/text.h"
#include "apps/report/run_record.h"
#include "apps/report/sheet.h"
#include "core/io/file.h"
#include "core/io/utf8.h"
#include "data/loader.h"

namespace evenkeel {
namespace {

constexpr size_t most_rows = 100;

struct SheetOptions {
  std::string name, data_dir, split = "train", out = "sheet.png";
  PictureWords pictures;
  AugmentWords augment;
  int64_t each = 10;
  uint64_t seed = 1;
};

std::string class_name(const Dataset& d, size_t label) {
  return label < d.class_names.size() ? d.class_names[label] : std::to_string(label);
}

void print_counts(const DataSplit& split) {
  const auto classes = static_cast<size_t>(split.train.classes);
  std::vector<int64_t> train(classes), test(classes);
  for (const int32_t label : split.train.labels) ++train[static_cast<size_t>(label)];
  for (const int32_t label : split.test.labels) ++test[static_cast<size_t>(label)];
  std::vector<std::string> names;
  size_t widest = 5;  // in bytes, an upper bound of columns
  for (size_t i = 0; i < classes; ++i) {
    names.push_back(shortened(printable(class_name(split.train, i)), 30));
    widest = std::max(widest, names.back().size());
  }
  say("{:<{}}  training    test\n", "class", widest);
  for (size_t i = 0; i < classes; ++i) say("{:<{}}  {:>8}  {:>6}\n", names[i], widest, train[i], test[i]);
  say("{:<{}}  {:>8}  {:>6}\n", "all", widest, split.train.size(), split.test.size());
}

void print_channels(const Dataset& d) {
  const Normalization by = measure(d);
  const auto channels = static_cast<size_t>(d.image[2]);
  std::vector<uint8_t> low(channels, 255), high(channels);
  for (size_t i = 0; i < d.pixels.size(); ++i) {
    low[i % channels] = std::min(low[i % channels], d.pixels[i]);
    high[i % channels] = std::max(high[i % channels], d.pixels[i]);
  }
  say("\nthe training images are {}x{}x{}, their values from 0 to 255:\nchannel     mean  deviation  least  largest\n",
      d.image[0], d.image[1], d.image[2]);
  for (size_t c = 0; c < channels; ++c)
    say("{:<7}  {:>7.2f}  {:>9.2f}  {:>5}  {:>7}\n", c, by.mean[c], by.deviation[c], low[c], high[c]);
}

// Examples of each class, drawn by the seed, class by class.
std::vector<int64_t> examples(const Dataset& d, int64_t each, uint64_t seed) {
  std::vector<std::vector<int64_t>> of(static_cast<size_t>(d.classes));
  for (const int64_t i : Random(seed).split("sheet").permutation(d.size())) {
    std::vector<int64_t>& mine = of[static_cast<size_t>(d.labels[i])];
    if (static_cast<int64_t>(mine.size()) < each) mine.push_back(i);
  }
  std::vector<int64_t> all;
  for (const auto& mine : of) all.insert(all.end(), mine.begin(), mine.end());
  return all;
}

// The loader's output, converted back to the scale of pixels.
std::vector<SheetRow> rows_of(const Dataset& shown, const Normalization& by, const SheetOptions& o) {
  std::vector<SheetRow> rows(static_cast<size_t>(shown.classes));
  for (size_t i = 0; i < rows.size(); ++i) rows[i].name = class_name(shown, i);
  Loader loader(shown, by,
                {.batch_size = 64,
                 .shuffle = false,
                 .augment = o.augment.on,
                 .augmentation = parse_augmentation(o.augment),
                 .seed = o.seed});
  loader.begin_epoch(1);
  const Shape& image = shown.image;
  for (Batch batch; loader.next(batch);) {
    const real* value = batch.x.data();
    for (const int32_t label : batch.labels) {
      Picture p{.height = image[0], .width = image[1], .channels = image[2]};
      for (int64_t i = 0; i < image.size(); ++i) {
        const auto c = static_cast<size_t>(i % image[2]);
        const double pixel = static_cast<double>(*value++) * by.deviation[c] + by.mean[c];
        p.pixels.push_back(static_cast<uint8_t>(std::clamp(std::lround(pixel), 0L, 255L)));
      }
      rows[static_cast<size_t>(label)].pictures.push_back(std::move(p));
    }
  }
  if (rows.size() > most_rows) {
    note(fmt::format("the sheet shows {} of {} classes", most_rows, rows.size()));
    rows.resize(most_rows);
  }
  return rows;
}

int show(const SheetOptions& o, const DataSets& own) {
  parse_augmentation(o.augment);  // fail before the data is read
  DataSplit split =
      load_named_dataset(own, o.name, o.data_dir, picture_options(own, o.pictures, o.name, o.data_dir, o.seed));
  allow_flips(flip_word(o.augment), split);
  check_result(o.out, split.inputs);
  check(split.train.size() > 0,
        "data show: the set must have training images, for the counts and the normalisation; {} has none", o.name);
  const Dataset& part = o.split == "test" ? split.test : split.train;
  check(part.size() > 0, "data show: {} has no test images; leave out --split test", o.name);
  print_counts(split);
  print_channels(split.train);
  const Dataset shown = take(part, examples(part, o.each, o.seed));
  write_file(o.out, encode_png(contact_sheet(rows_of(shown, measure(split.train), o))));
  say("\n{}\n", on_one_line(o.out));
  return 0;
}

}  // namespace

Action data_show_command(CLI::App& app, const Registry& registry) {
  const auto o = std::make_shared<SheetOptions>();
  app.add_option("DATA", o->name, "a data set, or the path of your own, as for train --data")->required();
  add_data_dir(app, o->data_dir)->group("Data");
  add_picture_options(app, o->pictures);
  add_choice(app, "--split", o->split, {"train", "test"}, "which images the sheet shows")->group("Data");
  add_augmentation_options(app, o->augment);
  add_integer(app, "--each", o->each, 1, 100, "images of each class")->group("Running");
  add_seed(app, "--seed", o->seed, "of the drawn and held-out images, and of the augmentation")->group("Running");
  add_text(app, "--out", o->out, "FILE", "the PNG file to write")->group("Running");
  return [o, &registry] { return show(*o, registry.data); };
}

}  // namespace evenkeel
