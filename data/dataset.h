// Labelled images, and the data sets that can be had by name.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/ops/loss.h"
#include "core/base/random.h"
#include "core/base/shape.h"

namespace evenkeel {

struct Dataset {
  std::string name;
  Shape image;                  // (H, W, C)
  int64_t classes = 0;          // labels are 0 .. classes - 1
  bool flips = false;           // whether an image mirrored left to right is still one of its class: clothes, not characters
  std::vector<uint8_t> pixels = {};  // N * H * W * C, channels last
  Labels labels = {};                // N
  std::vector<std::string> class_names = {};

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct DataSplit {
  Dataset train, test;
  std::string folder = {};  // of its files; empty: it was drawn
};

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

// CRC-32 of the pixels, then of the labels; `before`: of the sets that came before.
uint32_t checksum(const Dataset& data, uint32_t before = 0);

// The examples of the given indices, in their order.
Dataset take(const Dataset& data, const std::vector<int64_t>& indices);

// `count` examples drawn at random, of every class in proportion to its size, in the order of the original.
Dataset draw_in_proportion(const Dataset& data, int64_t count, Random& random);

// (all but `count` examples, `count` examples drawn at random), each in the order of the original.
std::pair<Dataset, Dataset> hold_out(const Dataset& train, int64_t count, Random& random);

}  // namespace evenkeel
