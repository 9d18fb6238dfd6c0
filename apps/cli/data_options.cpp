#include "apps/cli/data_options.h"

#include "apps/cli/console.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"

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
                  "the folder of data sets, the only one looked in; left out: $EVENKEEL_DATA, ~/.cache/evenkeel, where Debian puts data sets");
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

Dataset draw_samples(const Dataset& data, int64_t samples, uint64_t seed) {
  if (samples == 0) return data;
  check(samples <= data.size(), "--samples: {} has {} images there, not {}", data.name, data.size(), samples);
  Random random = Random(seed).split("samples");
  return draw_in_proportion(data, samples, random);
}

DataSplit load_named_dataset(const std::string& name, const std::string& data_dir) {
  check_dataset_name(name);
  DataSplit split = load_dataset(name, data_dir);
  if (!split.folder.empty()) note(fmt::format("{} is read from {}", name, split.folder));
  return split;
}

}  // namespace evenkeel
