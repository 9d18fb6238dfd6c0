#include "apps/data_options.h"

#include "apps/suggest.h"
#include "apps/text.h"

namespace evenkeel {
namespace {

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const FoundDataset& d : list_datasets()) names.push_back(d.name);
  return names;
}

}  // namespace

CLI::Option* add_data_dir(CLI::App& app, std::string& data_dir) {
  return add_text(app, "--data-dir", data_dir, "DIR",
                  "the folder of data sets to use first; then $EVENKEEL_DATA, ~/.cache/evenkeel, and where Debian puts data sets");
}

CLI::Option* add_data_options(CLI::App& app, std::string& name, std::string& data_dir) {
  CLI::Option* data = add_text(app, "--data", name, "NAME", joined(dataset_names()));
  data->group("Data");
  add_data_dir(app, data_dir)->group("Data");
  return data;
}

void check_dataset_name(const std::string& name) {
  const std::string wrong = unknown_word("data set", name, dataset_names());
  check(wrong.empty(), "{}", wrong);
}

Dataset take_first(const Dataset& data, int64_t samples) {
  if (samples == 0) return data;
  check(samples <= data.size(), "--samples: {} has {} images there, not {}", data.name, data.size(), samples);
  std::vector<int64_t> first(static_cast<size_t>(samples));
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
  return take(data, first);
}

DataSplit load_named_dataset(const std::string& name, const std::string& data_dir) {
  check_dataset_name(name);
  return load_dataset(name, data_dir);
}

}  // namespace evenkeel
