// The data sets that can be had by name, and those of a user by path.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../dataset.h"
#include "../formats/image_folder.h"

namespace evenkeel {

// By name: mnist, fashion-mnist, emnist (the balanced split), emnist-letters, kmnist, cifar10, cifar100; synthetic and
// synthetic-color are drawn and need no file. The files are looked for in the folder of the set's name below data_dir,
// or in data_dir itself, and nowhere else; where none is given below $EVENKEEL_DATA, the user's cache ($XDG_CACHE_HOME
// or ~/.cache, evenkeel) and where Debian's dataset packages put theirs, in this order. By path, where is_path says so:
// a folder of pictures (data/formats/image_folder.h), of IDX files or of CIFAR's, NumPy's arrays
// (data/catalogue/own.h). Throws
// Error(Fault::missing) with the places it looked in, Error(Fault::bad_file) with the file and what is wrong with it.
DataSplit load_dataset(const std::string& name, const std::string& data_dir = "", const PictureOptions& options = {},
                       const LoadReport& report = {});

// Data sets of a program's own, by name.
using DataSets = std::map<std::string, std::function<DataSplit()>>;

// Whether the name of a data set is a path: it has a slash, or is a folder or an .npz file here. Where a data_dir is
// given, a set's name is not.
bool is_path(const std::string& name, const std::string& data_dir = "");

struct FoundDataset {
  std::string name, description;
  std::string where;  // the folder of its files; empty: there are none
  bool drawn;         // needs no file
};
std::vector<FoundDataset> list_datasets(const std::string& data_dir = "");

}  // namespace evenkeel
