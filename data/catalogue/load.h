// Loads data sets by name, and a user's own by path.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../dataset.h"
#include "../formats/image_folder.h"

namespace evenkeel {

// Names: mnist, fashion-mnist, emnist (the balanced split), emnist-letters, kmnist, cifar10, cifar100; synthetic and
// synthetic-color are drawn and need no file. The files must be in the folder of the set's name below data_dir, or in
// data_dir itself. Without data_dir these roots are searched in order: $EVENKEEL_DATA, the user's cache (evenkeel in
// $XDG_CACHE_HOME or ~/.cache), the folder of Debian's dataset packages. A path (see is_path): a folder of pictures
// (data/formats/image_folder.h), of IDX or CIFAR files, or NumPy arrays (data/catalogue/own.h). Throws Error: missing,
// with the places searched; bad_file, with the file and the reason.
DataSplit load_dataset(const std::string& name, const std::string& data_dir = "", const PictureOptions& options = {},
                       const LoadReport& report = {});

// A program's own data sets, by name.
using DataSets = std::map<std::string, std::function<DataSplit()>>;

// Whether a data set's name is a path: it has a slash, or is a file or folder in the current folder. The name of a
// known set is a path only if it is a folder's and there is no data_dir.
bool is_path(const std::string& name, const std::string& data_dir = "");

struct FoundDataset {
  std::string name, description;
  std::string where;  // the folder of its files; empty if there is none
  bool drawn;         // drawn by a program; needs no file
};
std::vector<FoundDataset> list_datasets(const std::string& data_dir = "");

}  // namespace evenkeel
