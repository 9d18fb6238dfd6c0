#include "data/catalogue/load.h"

#include <filesystem>
#include <optional>

#include "core/base/check.h"
#include "data/catalogue/source.h"

namespace evenkeel {
namespace {

// The first folder that has all the set's files.
std::optional<std::filesystem::path> find_folder(const Source& source, const std::string& data_dir) {
  for (const auto& root : data_roots(data_dir)) {
    if (first_lacking(source, root / source.folder).empty()) return root / source.folder;
  }
  return {};
}

}  // namespace

DataSplit load_dataset(const std::string& name, const std::string& data_dir) {
  const Source& source = find_source(name);
  if (source.layout == Layout::drawn) return read_source(source);
  if (const auto folder = find_folder(source, data_dir)) {
    DataSplit split = read_source(source, *folder);
    split.folder = folder->string();
    return split;
  }
  std::string places;
  for (const auto& root : data_roots(data_dir)) {
    const auto folder = root / source.folder;
    places += fmt::format("\n  {} lacks {}", folder.string(), first_lacking(source, folder));
  }
  fail(Fault::missing, "data set '{}' is not there. Looked in:{}\nGet it with: evenkeel data fetch {}", name, places, name);
}

std::vector<FoundDataset> list_datasets(const std::string& data_dir) {
  std::vector<FoundDataset> found;
  for (const Source& source : sources()) {
    const bool drawn = source.layout == Layout::drawn;
    const auto folder = drawn ? std::nullopt : find_folder(source, data_dir);
    found.push_back({.name = source.name, .description = source.description, .where = folder ? folder->string() : "", .drawn = drawn});
  }
  return found;
}

}  // namespace evenkeel
