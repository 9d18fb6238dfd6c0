// The data sets that can be had by name.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace evenkeel {

// mnist, fashion-mnist, emnist (the balanced split), kmnist, cifar10, cifar100; synthetic and synthetic-color are drawn and need
// no file. The files are looked for in the folder of the set's name below data_dir and nowhere else; where none is given below
// $EVENKEEL_DATA, the user's cache ($XDG_CACHE_HOME or ~/.cache, evenkeel) and where Debian's dataset packages put theirs, in this
// order.
// Throws Error(Fault::missing) with the places it looked in, Error(Fault::bad_file) with the file and what is wrong with it.
DataSplit load_dataset(const std::string& name, const std::string& data_dir = "");

struct FoundDataset {
  std::string name, description;
  std::string where;  // the folder of its files; empty: there are none
  bool drawn;         // needs no file
};
std::vector<FoundDataset> list_datasets(const std::string& data_dir = "");

}  // namespace evenkeel
