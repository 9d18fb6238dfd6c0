// Labelled images.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "../core/base/random.h"
#include "../core/base/shape.h"
#include "../core/ops/loss.h"
#include "pixels.h"

namespace evenkeel {

struct Dataset {
  std::string name;
  Shape image;          // (H, W, C)
  int64_t classes = 0;  // labels are 0 .. classes - 1
  bool flips = false;   // whether an image mirrored left to right is still one of its class: clothes, not characters
  Pixels pixels = {};   // N * H * W * C, channels last
  Labels labels = {};   // N
  std::vector<std::string> class_names = {};
  std::vector<std::string> sources = {};  // N: where each image is from, on one line; or empty

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct DataSplit {
  Dataset train, test;
  std::string folder = {};  // of its files; empty: it was drawn
  double held_out = 0;      // the part of every class that was held out to be the test set; 0: the files say which are
};

// CRC-32 of the pixels, then of the labels; `before`: of the sets that came before.
uint32_t checksum(const Dataset& data, uint32_t before = 0);

// The examples of the given indices, in their order.
Dataset take(const Dataset& data, const std::vector<int64_t>& indices);

// `count` examples drawn at random, of every class in proportion to its size, in the order of the original.
Dataset draw_in_proportion(const Dataset& data, int64_t count, Random& random);

// The examples of the one, then those of the other, which must be of the same image and classes.
Dataset joined(Dataset first, const Dataset& second);

// Which examples to hold out: of every class `part` of them, drawn by seed and the class's name, so that other classes
// do not matter; one at least where it has two, and never all.
std::vector<bool> drawn_of_classes(const Labels& labels, const std::vector<std::string>& class_names, double part,
                                   uint64_t seed);

// (all but `count` examples, `count` examples drawn at random), each in the order of the original.
std::pair<Dataset, Dataset> hold_out(const Dataset& train, int64_t count, Random& random);

}  // namespace evenkeel
