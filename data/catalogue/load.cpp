#include "data/catalogue/load.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "core/base/check.h"
#include "core/io/file.h"
#include "data/catalogue/own.h"
#include "data/catalogue/source.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

// The first folder that has all files of the set.
std::optional<fs::path> find_folder(const Source& source, const std::string& data_dir) {
  for (const auto& root : data_roots(data_dir)) {
    if (first_lacking(source, root / source.folder).empty()) return root / source.folder;
  }
  if (!data_dir.empty() && first_lacking(source, data_dir).empty()) return data_dir;
  return {};
}

DataSplit load_source(const std::string& name, const std::string& data_dir) {
  const Source& source = find_source(name);
  if (source.layout == Layout::drawn) return read_source(source);
  if (const auto folder = find_folder(source, data_dir)) {
    try {
      DataSplit split = read_source(source, *folder);
      split.folder = folder->string();
      return split;
    } catch (const Error& error) {
      if (data_dir.empty() || error.fault != Fault::bad_file) throw;
      fail(Fault::bad_file, "{}\n  If these are not the files of {} but your own, name their folder: --data {}",
           error.what(), name, (*folder / "").string());
    }
  }
  std::string places;
  for (const auto& root : data_roots(data_dir)) {
    const auto folder = root / source.folder;
    places += fmt::format("\n  {} lacks {}", folder.string(), first_lacking(source, folder));
  }
  fail(Fault::missing, "data set '{}' is not there. Looked in:{}\n  Get it with: evenkeel data fetch {}", name, places,
       name);
}

// The names of classes without images.
void note_empty_classes(const Dataset& data, const char* what, const LoadReport& report) {
  std::vector<bool> seen(static_cast<size_t>(data.classes));
  for (const int32_t label : data.labels) seen[static_cast<size_t>(label)] = true;
  const auto lacking = std::count(seen.begin(), seen.end(), false);
  if (lacking == 0 || data.size() == 0) return;
  std::string names;
  int64_t named = 0;
  for (size_t i = 0; i < seen.size() && named < 5; ++i) {
    if (!seen[i])
      names += (named++ ? ", " : "") + (i < data.class_names.size() ? data.class_names[i] : std::to_string(i));
  }
  report.note(fmt::format("{}: {} of {} classes ha{} no {} image: {}{}", data.name, lacking, data.classes,
                          lacking == 1 ? "s" : "ve", what, names, lacking > named ? " ..." : ""));
}

// The number of test images that are also training images.
int64_t in_both(const Dataset& train, const Dataset& test) {
  const auto size = static_cast<size_t>(train.image.size());
  const auto image = [&](const Dataset& d, int64_t i) {
    return std::string_view(reinterpret_cast<const char*>(d.pixels.data()) + static_cast<size_t>(i) * size, size);
  };
  std::unordered_set<std::string_view> known;
  for (int64_t i = 0; i < train.size(); ++i) known.insert(image(train, i));
  int64_t count = 0;
  for (int64_t i = 0; i < test.size(); ++i) count += static_cast<int64_t>(known.contains(image(test, i)));
  return count;
}

}  // namespace

bool is_path(const std::string& name, const std::string& data_dir) {
  if (name.find('/') != std::string::npos || name == "." || name == "..") return true;
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(name, ignored))) return false;
  return (data_dir.empty() && fs::is_directory(name, ignored)) ||
         std::none_of(sources().begin(), sources().end(), [&](const Source& s) { return s.name == name; });
}

DataSplit load_dataset(const std::string& name, const std::string& data_dir, const PictureOptions& options,
                       const LoadReport& report) {
  const bool own = is_path(name, data_dir);
  DataSplit split = own ? load_own(name, options, report) : load_source(name, data_dir);
  if (const int64_t same = own ? in_both(split.train, split.test) : 0; same > 0)
    report.note(fmt::format("{}: {} of {} test images are among the training images too, as the network sees them",
                            name, same, split.test.size()));
  if (in_file(split.train.pixels.data()) || in_file(split.test.pixels.data()))
    report.note(fmt::format(
        "{}: its images take {:.1f} MB, more than half of the memory that is free; they lie in a file "
        "in {} while this runs",
        name, 1e-6 * static_cast<double>(split.train.pixels.size() + split.test.pixels.size()), user_cache()));
  note_empty_classes(split.train, "training", report);
  note_empty_classes(split.test, "test", report);
  return split;
}

std::vector<FoundDataset> list_datasets(const std::string& data_dir) {
  std::vector<FoundDataset> found;
  for (const Source& source : sources()) {
    const bool drawn = source.layout == Layout::drawn;
    const auto folder = drawn ? std::nullopt : find_folder(source, data_dir);
    found.push_back({.name = source.name,
                     .description = source.description,
                     .where = folder ? folder->string() : "",
                     .drawn = drawn});
  }
  return found;
}

}  // namespace evenkeel
