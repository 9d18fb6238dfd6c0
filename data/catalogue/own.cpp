#include "data/catalogue/own.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/base/parallel.h"
#include "core/io/file.h"
#include "data/catalogue/source.h"
#include "data/formats/image_folder.h"
#include "data/formats/npy.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

constexpr const char* idx_roles[] = {"training images", "training labels", "test images", "test labels"};
using IdxFiles = std::array<std::string, 4>;  // by role; empty if missing

// The IDX files of a folder whose names start with `beginning`, grouped by the prefix before the part's name.
std::map<std::string, IdxFiles> idx_sets(const fs::path& folder, const std::string& beginning) {
  std::map<std::string, IdxFiles> sets;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    std::string name = file;
    for (char& c : name) c = c == '.' || c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
    const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
    const bool images = has("images") && has("idx3"), labels = has("labels") && has("idx1");
    const size_t part = std::min({name.find("train"), name.find("t10k"), name.find("test")});
    if (!file.starts_with(beginning) || file.starts_with('.') || images == labels || part == std::string::npos)
      continue;
    std::string& role =
        sets[file.substr(0, part)].at((name.substr(part).starts_with("train") ? 0 : 2) + (labels ? 1 : 0));
    if (role.empty() || file.size() < role.size()) role = file;  // prefers the plain file to its .gz
  }
  return sets;
}

// The source that describes the files, if they form a set.
std::optional<Source> idx_source(const fs::path& folder, const std::string& beginning) {
  const auto sets = idx_sets(folder, beginning);
  if (sets.empty()) return {};
  if (sets.size() > 1) {
    std::string names;
    for (const auto& [prefix, files] : sets) names += "\n  " + (folder / prefix).string();
    fail(Fault::usage, "{} holds several sets of IDX files; name one by how its files begin:{}", folder.string(),
         names);
  }
  const auto& [prefix, files] = *sets.begin();
  for (size_t role = 0; role < files.size(); ++role) {
    if (files[role].empty())
      fail(Fault::missing, "{} holds IDX files, but none of {}", folder.string(), idx_roles[role]);
  }
  Source source{.layout = Layout::idx};
  source.train = {files[0], files[1]};
  source.test = {files[2], files[3]};
  source.transposed = prefix.starts_with("emnist");
  return source;
}

std::optional<Source> cifar_source(const fs::path& folder) {
  std::vector<std::string> batches;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with("data_batch_") && file.ends_with(".bin")) batches.push_back(file);
  }
  std::sort(batches.begin(), batches.end());
  const auto has = [&](const char* file) { return fs::is_regular_file(folder / file); };
  Source source{.layout = Layout::cifar, .image = {32, 32, 3}};
  if (!batches.empty() && has("test_batch.bin")) {
    source.train = batches;
    source.test = {"test_batch.bin"};
  } else if (has("train.bin") && has("test.bin")) {
    source.train = {"train.bin"};
    source.test = {"test.bin"};
    source.label_bytes = 2;
  } else {
    return {};
  }
  return source;
}

// The classes are the labels in the files, from the smallest (0 or 1) on; or those of a network.
void name_classes(DataSplit& split, const std::vector<std::string>& known) {
  int32_t least = 255, most = 0;
  for (const Dataset* part : {&split.train, &split.test}) {
    for (const int32_t label : part->labels) least = std::min(least, label), most = std::max(most, label);
  }
  const int32_t first = !known.empty() ? known.front() == "1" : least == 1;
  std::vector<std::string> names = known;
  if (known.empty()) {
    for (int32_t label = first; label <= most; ++label) names.push_back(std::to_string(label));
  }
  for (Dataset* part : {&split.train, &split.test}) {
    part->classes = static_cast<int64_t>(names.size());
    part->class_names = names;
    for (int32_t& label : part->labels) {
      label -= first;
      check(label >= 0 && label < part->classes, "{} has label {}; the network's classes are {} labels from {}",
            part->name, label + first, part->classes, first);
    }
  }
}

// Without a test set a part of every class is held out.
DataSplit load_arrays(const std::string& path, const PictureOptions& options, const LoadReport& report) {
  DataSplit split = read_npy_set(path, options, report);
  name_classes(split, options.classes);
  if (split.test.size() > 0) return split;
  split.held_out = options.holdout;
  const std::vector<bool> drawn =
      drawn_of_classes(split.train.labels, split.train.class_names, options.holdout, options.seed);
  std::vector<int64_t> kept, held;
  for (size_t i = 0; i < drawn.size(); ++i) (drawn[i] ? held : kept).push_back(static_cast<int64_t>(i));
  split.test = take(split.train, held);
  split.train = take(split.train, kept);
  report.note(fmt::format("{}: {:.4g} % of each class held out to be the test set", path, 100 * split.held_out));
  return split;
}

DataSplit load(const std::string& path, const PictureOptions& options, const LoadReport& report) {
  if (path.ends_with(".npz") && is_npy_set(path)) return load_arrays(path, options, report);
  check_link(path);
  fs::path folder = path;
  std::string beginning;
  if (!fs::exists(folder) && fs::is_directory(folder.parent_path())) {
    beginning = folder.filename().string();
    folder = folder.parent_path();
  }
  if (!fs::exists(folder)) fail(Fault::missing, "{}: there is no such file or folder", path);
  if (!fs::is_directory(folder))
    fail(Fault::bad_file,
         "{}: must be a folder or an .npz file; data of your own is a folder with a folder of pictures for each class, "
         "a folder of IDX, CIFAR or .npy files, or an .npz file",
         path);
  std::optional<Source> source = idx_source(folder, beginning);
  if (!source && !beginning.empty())
    fail(Fault::missing, "{}: there is no such file or folder, and no IDX file whose name begins so", path);
  if (!source) source = cifar_source(folder);
  if (!source && is_npy_set(path)) return load_arrays(path, options, report);
  if (!source) return read_image_folder(path, options, report);
  source->name = path;
  DataSplit split = read_source(*source, folder);
  name_classes(split, options.classes);
  split.folder = folder.string();
  return split;
}

// Converts the images to the options' size and channels by fit_picture.
void fit(Dataset& d, const PictureOptions& o) {
  const int64_t height = o.height > 0 ? o.height : d.image[0], width = o.width > 0 ? o.width : d.image[1],
                channels = o.channels > 0 ? o.channels : d.image[2];
  const Shape fitted{height, width, channels};
  if (fitted == d.image || (channels != 1 && channels != 3)) return;
  const int64_t from = d.image.size(), to = fitted.size();
  Dataset whole = std::move(d);
  d = take(whole, {});
  d.image = fitted;
  d.labels = std::move(whole.labels);
  d.pixels.resize(d.labels.size() * static_cast<size_t>(to));
  parallel_for(d.size(), [&](int64_t i) {
    const uint8_t* image = whole.pixels.data() + i * from;
    const Picture picture = fit_picture({.height = whole.image[0],
                                         .width = whole.image[1],
                                         .channels = whole.image[2],
                                         .pixels = {image, image + from}},
                                        height, width, channels);
    std::copy(picture.pixels.begin(), picture.pixels.end(), d.pixels.begin() + i * to);
  });
}

}  // namespace

DataSplit load_own(const std::string& path, const PictureOptions& options, const LoadReport& report) try {
  DataSplit split = load(path, options, report);
  fit(split.train, options);
  fit(split.test, options);
  if (options.height == 0) check_largest(path, split.train.image[0], split.train.image[1]);
  return split;
} catch (const fs::filesystem_error& error) {
  fail_io(error);
}

}  // namespace evenkeel
