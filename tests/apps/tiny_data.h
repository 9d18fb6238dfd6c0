// A small set in MNIST's format, in a folder for --data-dir.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

// Labels of the training and of the test images. An image is noise, and a pattern that belongs to its label: brighter
// where the number of the pixel leaves the label as its remainder by 10.
struct TinyData {
  TinyData(const std::vector<uint8_t>& train, const std::vector<uint8_t>& test) {
    std::filesystem::create_directory(folder / "mnist");
    write("train", train, 1);
    write("t10k", test, 2);
  }
  // As many labels, drawn at random.
  TinyData(size_t train, size_t test) : TinyData(drawn(train, 3), drawn(test, 4)) {}

  static std::vector<uint8_t> drawn(size_t count, uint64_t seed) {
    evenkeel::Random random(seed);
    std::vector<uint8_t> labels;
    while (labels.size() < count) labels.push_back(static_cast<uint8_t>(random.below(10)));
    return labels;
  }
  void write(const std::string& part, const std::vector<uint8_t>& labels, uint64_t seed) const {
    evenkeel::Random random(seed);
    std::vector<uint8_t> pixels;
    for (const uint8_t label : labels)
      for (int p = 0; p < 28 * 28; ++p)
        pixels.push_back(static_cast<uint8_t>(random.below(128) + (p % 10 == label ? 60 : 0)));
    const auto count = static_cast<uint32_t>(labels.size());
    save(folder / ("mnist/" + part + "-images-idx3-ubyte"), idx({count, 28, 28}, pixels));
    save(folder / ("mnist/" + part + "-labels-idx1-ubyte"), idx({count}, labels));
  }

  Scratch folder;
};
