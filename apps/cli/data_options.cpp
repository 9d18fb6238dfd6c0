#include "apps/cli/data_options.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "apps/cli/console.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "core/io/file.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

constexpr const char* augmentation_form =
    "[crop=PIXELS][:border=black|reflect][:flip=on|off][:alternate=off|on][:cutout=PIXELS]";

std::vector<std::string> dataset_names(const DataSets& own = {}) {
  std::vector<std::string> names;
  for (const FoundDataset& d : list_datasets()) names.push_back(d.name);
  for (const auto& [name, load] : own)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

std::string no_path_here() {
  std::error_code ignored;
  return "a file or folder in " + on_one_line(std::filesystem::current_path(ignored).string());
}

}  // namespace

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir) {
  return add_text(app, "--data-dir", data_dir, "DIR",
                  "the only folder to search for data sets; default: $EVENKEEL_DATA, ~/.cache/evenkeel, Debian's "
                  "folder of data sets");
}

CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir) {
  CLI::Option* data = add_text(app, "--data", name, "NAME",
                               joined(dataset_names()) +
                                   ", or the path of your own: a folder with a folder of pictures for each class, a "
                                   "folder of IDX or .npy files, or an .npz file");
  data->group("Data");
  add_data_dir(app, data_dir)->group("Data");
  return data;
}

CLI::Option* add_skip_bad(CLI::App& app, bool& skip_bad) {
  CLI::Option* option =
      add_flag(app, "--skip-bad", skip_bad, "for a folder of pictures: skip and count the files that cannot be read");
  option->group("Data");
  return option;
}

void add_picture_options(CLI::App& app, PictureWords& w) {
  add_text(app, "--image-size", w.image_size, "SIZE",
           "for your own images: resize to 32 or HEIGHTxWIDTH; default: their own size if all are equal, else 32x32")
      ->group("Data");
  add_text(app, "--color", w.color, "WORD", "for your own images: gray or rgb; default: gray if all are gray")
      ->group("Data")
      ->check(CLI::Validator(
          [](std::string& text) {
            return text == "gray" || text == "rgb" || text.empty()
                       ? std::string()
                       : fmt::format("must be gray or rgb, got \"{}\"", text);
          },
          ""));
  add_number(app, "--holdout", w.holdout, {.low = 0, .high = 0.9, .above = true},
             "for your own images without a test set: the part of every class to hold out as the test set, by the seed")
      ->group("Data");
  add_flag(app, "--channels-first", w.channels_first, ".npy and .npz images are (N, C, H, W), not (N, H, W, C)")
      ->group("Data");
  add_skip_bad(app, w.skip_bad);
}

PictureOptions picture_options(const DataSets& own, const PictureWords& w, const std::string& data,
                               const std::string& data_dir, uint64_t seed) {
  const bool named = own.contains(data) || !is_path(data, data_dir);
  if (named && !(w.image_size.empty() && w.color.empty())) {
    const std::vector<std::string> names = dataset_names(own);
    const bool known = std::find(names.begin(), names.end(), data) != names.end();
    fail(Fault::usage, "--image-size and --color are for your own images, given by a path; {} {}", on_one_line(data),
         known ? "has a fixed size and colour" : "is neither a data set of evenkeel nor " + no_path_here());
  }
  PictureOptions o{.channels = w.color == "gray"  ? 1
                               : w.color == "rgb" ? 3
                                                  : 0,
                   .holdout = w.holdout,
                   .seed = seed,
                   .channels_first = w.channels_first,
                   .skip_bad = w.skip_bad};
  if (w.image_size.empty()) return o;
  const size_t x = w.image_size.find('x');
  const auto side = [&](const std::string& text) {
    const bool digits = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string::npos;
    const int64_t n = digits ? std::stoll(text) : 0;
    check(n >= 1 && n <= 1024, "--image-size: must be N or HEIGHTxWIDTH, each from 1 to 1024, got \"{}\"",
          w.image_size);
    return n;
  };
  o.height = side(w.image_size.substr(0, x));
  o.width = x == std::string::npos ? o.height : side(w.image_size.substr(x + 1));
  return o;
}

void add_augmentation_options(CLI::App& app, AugmentWords& w) {
  add_flag(app, "--augment", w.on,
           "crop at random and, if the data set allows it, mirror (your own images and digits only with --augmentation "
           "flip=on)")
      ->group("Data");
  add_text(
      app, "--augmentation", w.how, "HOW",
      fmt::format(
          "how --augment does it: {}, as in crop=2:border=reflect, the default first; crop: the largest "
          "shift, default 4, or 2 for images narrower than 32 pixels; alternate: mirror each image every other epoch; "
          "cutout: hide a square of this side",
          augmentation_form))
      ->group("Data");
}

Augmentation parse_augmentation(const AugmentWords& w) {
  check(w.on || w.how.empty(), "--augmentation: needs --augment, which is not given");
  if (w.how.empty()) return {};
  SpecArguments arguments("--augmentation", ":" + w.how);
  const auto how = arguments.options<Augmentation>();
  arguments.check_used(augmentation_form);
  return how;
}

std::string flip_word(const AugmentWords& w) {
  if (w.how.empty()) return "";
  SpecArguments arguments("--augmentation", ":" + w.how);
  return arguments.word(SIZE_MAX, "flip", {"off", "on"}, "");
}

void allow_flips(const std::string& flip, DataSplit& split) {
  if (!flip.empty()) split.train.flips = split.test.flips = flip == "on";
}

void check_dataset_name(const std::string& name, const DataSets& own) {
  if (own.contains(name)) return;
  const std::string wrong = unknown_word("data set", name, dataset_names(own));
  check(wrong.empty(), "{}", wrong);
}

Dataset draw_samples(Dataset data, int64_t samples, uint64_t seed) {
  if (samples == 0) return data;
  check(samples <= data.size(), "--samples: must be at most {}, the number of images to draw from in {}, got {}",
        data.size(), data.name, samples);
  Random random = Random(seed).split("samples");
  return draw_in_proportion(data, samples, random);
}

std::string picture_cache_folder() {
  const std::string cache = user_cache();
  return cache.empty() ? "" : cache + "/pictures";
}

DataSplit load_named_dataset(const DataSets& own, const std::string& name, const std::string& data_dir,
                             PictureOptions pictures) {
  if (const auto found = own.find(name); found != own.end()) return found->second();
  const bool path = is_path(name, data_dir);
  try {
    if (!path) check_dataset_name(name, own);
  } catch (const Error& error) {
    fail(error.fault, "{} is neither a data set nor {}\n  {}", on_one_line(name), no_path_here(), error.what());
  }
  using Clock = std::chrono::steady_clock;
  const auto seconds = [start = Clock::now()] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  pictures.cache = picture_cache_folder();
  Interrupt interrupt;
  Console console;
  double shown = 1;  // seconds; no progress for shorter work
  LoadReport report;
  report.note = [&](const std::string& line) { console.note(line); };
  report.progress = [&](int64_t done, int64_t total) {
    if (interrupt.signal() != 0) throw Stopped{interrupt.signal()};
    const double now = seconds();
    if (now < shown || done == 0) return;
    shown = now + 0.1;
    const double part = static_cast<double>(done) / static_cast<double>(total);
    console.live(fmt::format("ETA {} {} {} of {} pictures", duration(now / part * (1 - part)), progress_bar(part, 20),
                             thousands(static_cast<double>(done)), thousands(static_cast<double>(total))));
  };
  DataSplit split = load_dataset(name, data_dir, pictures, report);
  if (interrupt.signal() != 0) throw Stopped{interrupt.signal()};
  const auto names = dataset_names();
  const bool both = path && std::find(names.begin(), names.end(), name) != names.end();
  if (!split.folder.empty())
    console.note(fmt::format("{} is read from {}{}", name, both ? "./" : "", split.folder) +
                 (both ? ", which takes precedence over the data set of this name" : ""));
  return split;
}

Dataset choose_split(DataSplit split, const std::string& which) {
  if (which == "all") return joined(std::move(split.train), split.test);
  return std::move(which == "train" ? split.train : split.test);
}

}  // namespace evenkeel
