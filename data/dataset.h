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
  bool flips = false;   // whether mirroring an image left to right keeps its class: yes for clothes, no for characters
  Pixels pixels = {};   // N * H * W * C, channels last
  Labels labels = {};   // N
  std::vector<std::string> class_names = {};
  std::vector<std::string> sources = {};  // N: each image's origin, on one line; or empty

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct DataSplit {
  Dataset train, test;
  std::string folder = {};               // of its files; empty if the images are drawn by a program
  std::vector<std::string> inputs = {};  // what no output may replace or lie in: its files, or its folder of pictures
  double held_out = 0;  // the part of every class held out as the test set; 0: the files define the test set
};

// CRC-32 of the pixels, then the labels, continued from `before`, the checksum of earlier sets.
uint32_t checksum(const Dataset& data, uint32_t before = 0);

// The examples at the given indices, in that order. Error if an index is not from 0 to size() - 1.
Dataset take(const Dataset& data, const std::vector<int64_t>& indices);

// Draws `count` random examples, of every class in proportion to its size; keeps the original order. Error unless
// 1 <= count <= size().
Dataset draw_in_proportion(const Dataset& data, int64_t count, Random& random);

// The examples of `first`, then those of `second`. Error unless image shapes and classes are equal.
Dataset joined(Dataset first, const Dataset& second);

// Selects the examples to hold out: the fraction `part` of every class, drawn by the seed and the class's name only, at
// least one if the class has two, and never all.
std::vector<bool> drawn_of_classes(const Labels& labels, const std::vector<std::string>& class_names, double part,
                                   uint64_t seed);

// (the other examples, `count` examples drawn at random), both in the original order. Error unless
// 1 <= count < size().
std::pair<Dataset, Dataset> hold_out(const Dataset& train, int64_t count, Random& random);

}  // namespace evenkeel
