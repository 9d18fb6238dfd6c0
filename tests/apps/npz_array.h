// An array of an .npz file, which the archive reader of the data sets unpacks and checks.
#pragma once
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "data/catalogue/archive.h"
#include "tests/apps/process.h"

struct Array {
  std::string header, bytes;
  template <class T>
  T at(size_t i) const {
    T value;
    REQUIRE((i + 1) * sizeof value <= bytes.size());
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    return value;
  }
};

inline Array array_of(const std::string& npz, const std::string& name) {
  const Scratch folder;
  evenkeel::unpack(npz, {name + ".npy"}, folder.path);
  const std::string file = slurp(folder / (name + ".npy"));
  REQUIRE(file.starts_with(std::string("\x93NUMPY\x01\x00", 8)));
  const size_t length = static_cast<uint8_t>(file[8]) + 256u * static_cast<uint8_t>(file[9]);
  CHECK((10 + length) % 64 == 0);
  CHECK(file.at(9 + length) == '\n');
  return {file.substr(10, length), file.substr(10 + length)};
}
